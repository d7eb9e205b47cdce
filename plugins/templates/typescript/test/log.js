// In Node there is no host: what the mapper logs goes to standard error.
import { register } from "node:module";

const module = (source) => `data:text/javascript,${encodeURIComponent(source)}`;
const logging = module(
  "export const log = (level, message) => console.error(`${level}: ${message}`);",
);
register(
  module(`
    export const resolve = (name, context, next) =>
      name === "poolhook:mapper/logging@0.1.0"
        ? { url: ${JSON.stringify(logging)}, shortCircuit: true }
        : next(name, context);
  `),
);
