import { readFileSync } from "node:fs";

/** @type {import("next").NextConfig} */
export default {
  env: { VERSION: readFileSync("../VERSION", "utf8").trim() },
  images: { unoptimized: true },
  poweredByHeader: false,
};
