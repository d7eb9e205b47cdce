import assert from "node:assert/strict";
import test from "node:test";
import type { Field, User } from "poolhook:mapper/types@0.1.0";

import { mapping } from "../src/mapper.js";

function user(attributes: Record<string, string>): User {
  return {
    userPoolId: "ap-northeast-1_Q7mE2xYbA",
    region: "ap-northeast-1",
    clientId: undefined,
    userName: "hanako",
    triggerSource: "PostConfirmation_ConfirmSignUp",
    userAttributes: Object.entries(attributes).map(([name, value]) => ({ name, value })),
    clientMetadata: [],
    time: "2026-11-23T09:06:52.123Z",
    timeMs: 1_795_424_812_123,
  };
}

/** The item's values by name; the user must be mapped. */
function put(attributes: Record<string, string>, settings = "{}") {
  const outcome = mapping.toItem(user(attributes), settings);
  assert.equal(outcome.tag, "put");
  const fields = outcome.val as Field[];
  const values = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
  assert.equal(Object.keys(values).length, fields.length, "a name comes twice");
  return values;
}

test("a user without attributes", () => {
  assert.deepEqual(put({}), {
    id: { tag: "s", val: "hanako" },
    planJoined: { tag: "s", val: "free#2026-11-23T09:06:52.123Z" },
    seats: { tag: "n", val: "1" },
    verified: { tag: "boolean", val: false },
    trialEnds: { tag: "n", val: "1798016812" },
  });
});

test("a user with all attributes", () => {
  const attributes = {
    "custom:city": 'Nagoya "ナゴヤ"',
    "custom:country": "JP",
    "custom:groups": "b,,a,b,",
    "custom:plan": "gold",
    "custom:seats": "007",
    email: "Hanako@example.com",
    email_verified: "true",
  };
  assert.deepEqual(put(attributes, '{"plan": "basic", "trial-days": 0}'), {
    id: { tag: "s", val: "hanako" },
    email: { tag: "s", val: "Hanako@example.com" },
    planJoined: { tag: "s", val: "gold#2026-11-23T09:06:52.123Z" },
    seats: { tag: "n", val: "7" },
    groups: { tag: "ss", val: ["b", "a"] },
    address: { tag: "json", val: '{"city":"Nagoya \\"ナゴヤ\\"","country":"JP"}' },
    verified: { tag: "boolean", val: true },
    trialEnds: { tag: "n", val: "1795424812" },
  });
});

test("what is not there", () => {
  const item = put({ "custom:city": "Nagoya", "custom:groups": ",,", email: "" });
  assert.deepEqual(item.address, { tag: "json", val: '{"city":"Nagoya","country":null}' });
  assert.equal(item.groups, undefined);
  assert.equal(item.email, undefined);
});

test("an internal user is skipped", () => {
  assert.deepEqual(mapping.toItem(user({ "custom:internal": "true" }), "{}"), {
    tag: "skip",
    val: "the user is internal",
  });
  assert.ok(put({ "custom:internal": "false" }).id);
});

test("seats must be a whole number", () => {
  for (const seats of ["", "1.5", "-1", " 7", "7\n", "1e3", "1234567", "٣"]) {
    assert.throws(() => put({ "custom:seats": seats }), {
      message: `custom:seats is not a whole number: ${seats}`,
    });
  }
});

test("settings that are none", () => {
  for (const settings of [
    '{"paln": "basic"}',
    '{"plan": 1}',
    '{"plan": null}',
    '{"trial-days": "30"}',
    '{"trial-days": 1.5}',
    '{"trial-days": -1}',
    '{"trial-days": 65536}',
  ]) {
    assert.throws(() => put({}, settings), /^Error: settings: /, settings);
  }
  assert.deepEqual(put({}, '{"plan": "basic"}').planJoined, {
    tag: "s",
    val: "basic#2026-11-23T09:06:52.123Z",
  });
});
