import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env.EPICENTER_URL ?? "http://127.0.0.1:4319";

export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, sourcemap: false, modulePreload: { polyfill: false } },
  server: { host: "127.0.0.1", proxy: { "/api": server } },
});
