// Bundles nothing: gives each asset a name with the hash of its content, and the page the address of each.
// PUBLIC_* variables become part of the page, where everybody can read them.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, extname, basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const output = join(here, "dist");

async function emit(name, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 10);
  const extension = extname(name);
  const hashed = `assets/${basename(name, extension)}.${hash}${extension}`;
  await writeFile(join(output, hashed), content);
  return `/${hashed}`;
}

const version = process.env.PUBLIC_VERSION ?? (await readFile(join(here, "..", "VERSION"), "utf8")).trim();
const config = { version, api: process.env.PUBLIC_API ?? "/api" };

await rm(output, { recursive: true, force: true });
await mkdir(join(output, "assets"), { recursive: true });

const read = (name) => readFile(join(source, name), "utf8");
const script = (await read("main.js")).replace("__CONFIG__", JSON.stringify(config));
const page = (await read("index.html"))
  .replace("__SCRIPT__", await emit("main.js", script))
  .replace("__STYLE__", await emit("style.css", await read("style.css")));
await writeFile(join(output, "index.html"), page);
console.log(`built ${version}`);
