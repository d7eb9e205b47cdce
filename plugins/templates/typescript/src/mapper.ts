// A member: who joined when and on which plan, and when the trial ends.

import type { Mapping } from "poolhook:mapper/mapping@0.1.0";
import type { Field, User, Value } from "poolhook:mapper/types@0.1.0";

export const mapping: Mapping = {
  toItem(user, settings) {
    const { plan, trialDays } = parseSettings(settings);
    if (attribute(user, "custom:internal") === "true") {
      return { tag: "skip", val: "the user is internal" };
    }
    return { tag: "put", val: item(user, plan, trialDays) };
  },
};

function item(user: User, plan: string, trialDays: number): Field[] {
  const email = attribute(user, "email");
  const groups = parts(attribute(user, "custom:groups") ?? "");
  const city = attribute(user, "custom:city");
  const country = attribute(user, "custom:country") ?? null;
  // One sort key for two questions: who is on a plan, and since when.
  const planJoined = `${attribute(user, "custom:plan") ?? plan}#${user.time}`;
  // In seconds, as DynamoDB's time to live wants it.
  const trialEnds = Math.floor(user.timeMs / 1000) + trialDays * 86_400;

  const values: Record<string, Value | undefined> = {
    id: { tag: "s", val: user.userName },
    // Who signed up by phone has none. An index refuses an empty one.
    email: email ? { tag: "s", val: email } : undefined,
    planJoined: { tag: "s", val: planJoined },
    seats: { tag: "n", val: String(seats(user)) },
    // DynamoDB knows no empty set.
    groups: groups.length === 0 ? undefined : { tag: "ss", val: groups },
    address:
      city === undefined ? undefined : { tag: "json", val: JSON.stringify({ city, country }) },
    verified: { tag: "boolean", val: attribute(user, "email_verified") === "true" },
    trialEnds: { tag: "n", val: String(trialEnds) },
  };
  return Object.entries(values).flatMap(([name, value]) => (value ? [{ name, value }] : []));
}

function attribute(user: User, name: string): string | undefined {
  return user.userAttributes.find((attribute) => attribute.name === name)?.value;
}

function seats(user: User): number {
  const text = attribute(user, "custom:seats") ?? "1";
  // Number() would take "", " 7", "1e3" and "0x10" too.
  if (!/^[0-9]{1,6}$/.test(text)) {
    throw new Error(`custom:seats is not a whole number: ${text}`);
  }
  return Number(text);
}

/** What stands between the commas: no empty text, none twice. */
function parts(text: string): string[] {
  return [...new Set(text.split(","))].filter((part) => part !== "");
}

/** The pool's `[settings]`. A pool may have none, so each key has a default. */
function parseSettings(text: string): { plan: string; trialDays: number } {
  const given: Record<string, unknown> = JSON.parse(text);
  const { plan = "free", "trial-days": trialDays = 30, ...unknown } = given;
  for (const key of Object.keys(unknown)) {
    throw new Error(`settings: unknown key ${key}`);
  }
  if (typeof plan !== "string") {
    throw new Error("settings: plan is not text");
  }
  if (!isWhole(trialDays) || trialDays < 0 || trialDays > 65_535) {
    throw new Error("settings: trial-days is not a whole number from 0 to 65535");
  }
  return { plan, trialDays };
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value);
}
