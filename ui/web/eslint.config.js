// The arrows between the folders are the law here: pages -> widgets, state, api, model; widgets -> model; model -> nothing.
import tseslint from "typescript-eslint";
import hooks from "eslint-plugin-react-hooks";

const folders = ["api", "model", "pages", "state", "widgets", "app"];

function only(folder, allowed) {
  const group = folders.filter((f) => f !== folder && !allowed.includes(f)).map((f) => `**/${f}/**`);
  return {
    files: [`src/${folder}/**/*.{ts,tsx}`],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group, message: `${folder} may import: ${allowed.join(", ") || "nothing"}` }] },
      ],
    },
  };
}

export default tseslint.config(
  { ignores: ["dist", "node_modules", "test-results"] },
  ...tseslint.configs.strict,
  hooks.configs.flat["recommended-latest"],
  {
    files: ["src/**/*.{ts,tsx}"],
    rules: {
      eqeqeq: "error",
      "max-lines": ["error", 500],
      "no-console": "error",
      "no-restricted-globals": ["error", { name: "fetch", message: "only src/api calls fetch" }],
    },
  },
  { files: ["src/api/**/*.ts"], rules: { "no-restricted-globals": "off" } },
  only("model", []),
  only("api", ["model"]),
  only("state", ["api", "model"]),
  only("widgets", ["model"]),
  only("pages", ["widgets", "state", "api", "model"]),
  {
    files: ["src/model/**/*.ts"],
    rules: { "no-restricted-globals": ["error", "document", "window", "fetch", "localStorage"] },
  },
);
