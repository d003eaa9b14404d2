import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

// VITE_* variables become part of the page, where everybody can read them.
export default defineConfig({
  define: { __VERSION__: JSON.stringify(readFileSync("../VERSION", "utf8").trim()) },
  esbuild: { jsx: "automatic" },
});
