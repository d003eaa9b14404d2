"""Backups of one application, on its host: database and files of one moment, encrypted, and restored on a schedule."""
