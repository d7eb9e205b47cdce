// The world of wit/mapper.wit in TypeScript, with its names in camel case.
// What each field and case means stands there.

declare module "poolhook:mapper/types@0.1.0" {
  export interface Attribute {
    name: string;
    value: string;
  }

  export interface User {
    userPoolId: string;
    region: string;
    clientId: string | undefined;
    userName: string;
    triggerSource: string;
    userAttributes: Attribute[];
    clientMetadata: Attribute[];
    time: string;
    timeMs: number;
  }

  /** A DynamoDB attribute value. A number travels as text. */
  export type Value =
    | { tag: "s"; val: string }
    | { tag: "n"; val: string }
    | { tag: "b"; val: Uint8Array }
    | { tag: "boolean"; val: boolean }
    | { tag: "null" }
    | { tag: "ss"; val: string[] }
    | { tag: "ns"; val: string[] }
    | { tag: "bs"; val: Uint8Array[] }
    /** M, L or any scalar, as one JSON document. */
    | { tag: "json"; val: string };

  export interface Field {
    name: string;
    value: Value;
  }

  export type Outcome = { tag: "put"; val: Field[] } | { tag: "skip"; val: string };
}

declare module "poolhook:mapper/logging@0.1.0" {
  export type Level = "debug" | "info" | "warn" | "error";

  /** Writes one line to the platform's log. */
  export function log(level: Level, message: string): void;
}

declare module "poolhook:mapper/mapping@0.1.0" {
  import type { Outcome, User } from "poolhook:mapper/types@0.1.0";

  /** What a plugin exports as `mapping`. */
  export interface Mapping {
    /** `settings` is one JSON object. What is thrown is the mapper's error. */
    toItem(user: User, settings: string): Outcome;
  }
}
