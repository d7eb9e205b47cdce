import unittest

from componentize_py_types import Err
from wit_world.imports.types import (
    Attribute,
    Outcome_Skip,
    User,
    Value_Boolean,
    Value_Json,
    Value_N,
    Value_S,
    Value_Ss,
)

from mapper import Mapping


def mapped(attributes, settings="{}"):
    user = User(
        user_pool_id="ap-northeast-1_Q7mE2xYbA",
        region="ap-northeast-1",
        client_id=None,
        user_name="hanako",
        trigger_source="PostConfirmation_ConfirmSignUp",
        user_attributes=[Attribute(name, value) for name, value in attributes.items()],
        client_metadata=[],
        time="2026-11-23T09:06:52.123Z",
        time_ms=1_795_424_812_123,
    )
    return Mapping().to_item(user, settings)


def put(attributes, settings="{}"):
    """The item's values by name; the user must be mapped."""
    fields = mapped(attributes, settings).value
    values = {field.name: field.value for field in fields}
    assert len(values) == len(fields), "a name comes twice"
    return values


class MapperTest(unittest.TestCase):
    maxDiff = None

    def test_a_user_without_attributes(self):
        expected = {
            "id": Value_S("hanako"),
            "planJoined": Value_S("free#2026-11-23T09:06:52.123Z"),
            "seats": Value_N("1"),
            "verified": Value_Boolean(False),
            "trialEnds": Value_N("1798016812"),
        }
        self.assertEqual(put({}), expected)

    def test_a_user_with_all_attributes(self):
        attributes = {
            "custom:city": 'Nagoya "ナゴヤ"',
            "custom:country": "JP",
            "custom:groups": "b,,a,b,",
            "custom:plan": "gold",
            "custom:seats": "007",
            "email": "Hanako@example.com",
            "email_verified": "true",
        }
        expected = {
            "id": Value_S("hanako"),
            "email": Value_S("Hanako@example.com"),
            "planJoined": Value_S("gold#2026-11-23T09:06:52.123Z"),
            "seats": Value_N("7"),
            "groups": Value_Ss(["b", "a"]),
            "address": Value_Json(
                r'{"city": "Nagoya \"\u30ca\u30b4\u30e4\"", "country": "JP"}'
            ),
            "verified": Value_Boolean(True),
            "trialEnds": Value_N("1795424812"),
        }
        self.assertEqual(put(attributes, '{"plan": "basic", "trial-days": 0}'), expected)

    def test_what_is_not_there(self):
        values = put({"custom:city": "Nagoya", "custom:groups": ",,", "email": ""})
        self.assertEqual(values["address"], Value_Json('{"city": "Nagoya", "country": null}'))
        self.assertNotIn("groups", values)
        self.assertNotIn("email", values)

    def test_an_internal_user_is_skipped(self):
        skipped = Outcome_Skip("the user is internal")
        self.assertEqual(mapped({"custom:internal": "true"}), skipped)
        self.assertIn("id", put({"custom:internal": "false"}))

    def test_seats_must_be_a_whole_number(self):
        for seats in ["", "1.5", "-1", " 7", "7\n", "1_0", "1e3", "1234567", "٣"]:
            with self.subTest(seats=seats), self.assertRaises(Err) as raised:
                put({"custom:seats": seats})
            expected = f"custom:seats is not a whole number: {seats}"
            self.assertEqual(raised.exception.value, expected)

    def test_settings_that_are_none(self):
        for settings in [
            '{"paln": "basic"}',
            '{"plan": 1}',
            '{"plan": null}',
            '{"trial-days": "30"}',
            '{"trial-days": 1.5}',
            '{"trial-days": true}',
            '{"trial-days": -1}',
            '{"trial-days": 65536}',
        ]:
            with self.subTest(settings=settings), self.assertRaises(Err) as raised:
                put({}, settings)
            self.assertTrue(raised.exception.value.startswith("settings: "))
        basic = put({}, '{"plan": "basic"}')
        self.assertEqual(basic["planJoined"], Value_S("basic#2026-11-23T09:06:52.123Z"))


if __name__ == "__main__":
    unittest.main()
