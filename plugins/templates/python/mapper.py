"""A member: who joined when and on which plan, and when the trial ends."""

import json
import re

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import (
    Field,
    Outcome,
    Outcome_Put,
    Outcome_Skip,
    User,
    Value,
    Value_Boolean,
    Value_Json,
    Value_N,
    Value_S,
    Value_Ss,
)


# What stands here runs once, when the component is built; each event begins
# after it. int() would take " 7", "1_0" and the digits of other scripts too.
WHOLE_NUMBER = re.compile("[0-9]{1,6}")


class Mapping(exports.Mapping):
    """What the world exports; its name is the interface's."""

    def to_item(self, user: User, settings: str) -> Outcome:
        try:
            return outcome(user, settings)
        except Err:
            raise
        except Exception as error:
            # Uncaught, it would be a trap without a word of it.
            raise Err(f"{type(error).__name__}: {error}") from error


def outcome(user: User, settings: str) -> Outcome:
    plan, trial_days = parse_settings(settings)
    attributes = {each.name: each.value for each in user.user_attributes}
    if attributes.get("custom:internal") == "true":
        return Outcome_Skip("the user is internal")
    values = item(user, attributes, plan, trial_days)
    return Outcome_Put([Field(name, value) for name, value in values.items()])


def item(user: User, attributes: dict[str, str], plan: str, trial_days: int) -> dict[str, Value]:
    values: dict[str, Value] = {"id": Value_S(user.user_name)}
    # Who signed up by phone has none. An index refuses an empty one.
    if email := attributes.get("email"):
        values["email"] = Value_S(email)
    # One sort key for two questions: who is on a plan, and since when.
    values["planJoined"] = Value_S(f"{attributes.get('custom:plan', plan)}#{user.time}")
    values["seats"] = Value_N(str(seats(attributes.get("custom:seats", "1"))))
    # DynamoDB knows no empty set.
    if groups := parts(attributes.get("custom:groups", "")):
        values["groups"] = Value_Ss(groups)
    if "custom:city" in attributes:
        address = {"city": attributes["custom:city"], "country": attributes.get("custom:country")}
        values["address"] = Value_Json(json.dumps(address))
    values["verified"] = Value_Boolean(attributes.get("email_verified") == "true")
    # In seconds, as DynamoDB's time to live wants it.
    values["trialEnds"] = Value_N(str(user.time_ms // 1000 + trial_days * 86_400))
    return values


def seats(text: str) -> int:
    if not WHOLE_NUMBER.fullmatch(text):
        raise Err(f"custom:seats is not a whole number: {text}")
    return int(text)


def parts(text: str) -> list[str]:
    """What stands between the commas: no empty text, none twice."""
    return list(dict.fromkeys(part for part in text.split(",") if part))


def parse_settings(text: str) -> tuple[str, int]:
    """The pool's `[settings]`. A pool may have none, so each key has a default."""
    given = json.loads(text)
    plan = given.pop("plan", "free")
    trial_days = given.pop("trial-days", 30)
    for key in given:
        raise Err(f"settings: unknown key {key}")
    if not isinstance(plan, str):
        raise Err("settings: plan is not text")
    # To Python, True is a whole number.
    if type(trial_days) is not int or not 0 <= trial_days <= 65_535:
        raise Err("settings: trial-days is not a whole number from 0 to 65535")
    return plan, trial_days
