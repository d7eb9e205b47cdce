/* A member: who joined when and on which plan, and when the trial ends.
 *
 * An instance lives for one event, so nothing here is ever freed: a result may
 * point into the arguments, at constants and at what malloc gave. */

#include <stdlib.h>
#include <string.h>

#include "bindings/mapper.h"

typedef mapper_string_t text;
typedef exports_poolhook_mapper_mapping_user_t user;
typedef exports_poolhook_mapper_mapping_outcome_t outcome;
typedef poolhook_mapper_types_field_t field;
typedef poolhook_mapper_types_value_t value;

#define MOST_FIELDS 8
#define TRIAL_DAYS 30

/* The bindings would free the result; this takes the place of that. */
void __wasm_export_exports_poolhook_mapper_mapping_to_item_post_return(uint8_t *result) {
  (void)result;
}

static void *allot(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (memory == NULL) abort();
  return memory;
}

static text of(const char *constant) {
  return (text){(uint8_t *)constant, strlen(constant)};
}

static bool is(text a, const char *b) {
  return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0;
}

static text joined(text a, const char *between, text b) {
  size_t length = strlen(between);
  text all = {allot(a.len + length + b.len + 1, 1), a.len + length + b.len};
  memcpy(all.ptr, a.ptr, a.len);
  memcpy(all.ptr + a.len, between, length);
  memcpy(all.ptr + a.len + length, b.ptr, b.len);
  return all;
}

static text decimal(uint64_t number) {
  enum { DIGITS = 20 };
  uint8_t *digits = allot(DIGITS, 1);
  size_t first = DIGITS;
  do {
    digits[--first] = (uint8_t)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return (text){digits + first, DIGITS - first};
}

/* The user attribute of this name, or NULL. */
static const text *attribute(const user *user, const char *name) {
  for (size_t i = 0; i < user->user_attributes.len; i++) {
    if (is(user->user_attributes.ptr[i].name, name)) return &user->user_attributes.ptr[i].value;
  }
  return NULL;
}

static bool is_true(const user *user, const char *name) {
  const text *flag = attribute(user, name);
  return flag != NULL && is(*flag, "true");
}

/* Leading zeros go; `false` if it is no whole number of 1 to 6 digits. */
static bool seats(const user *user, text *number) {
  const text *seats = attribute(user, "custom:seats");
  if (seats == NULL) {
    *number = of("1");
    return true;
  }
  uint64_t count = 0;
  for (size_t i = 0; i < seats->len; i++) {
    if (seats->ptr[i] < '0' || seats->ptr[i] > '9') return false;
    count = count * 10 + (seats->ptr[i] - '0');
  }
  *number = decimal(count);
  return seats->len >= 1 && seats->len <= 6;
}

static bool holds(mapper_list_string_t set, text member) {
  for (size_t i = 0; i < set.len; i++) {
    if (set.ptr[i].len == member.len && memcmp(set.ptr[i].ptr, member.ptr, member.len) == 0) {
      return true;
    }
  }
  return false;
}

/* What stands between the commas: no empty text, none twice. */
static mapper_list_string_t parts(text list) {
  mapper_list_string_t set = {allot(list.len + 1, sizeof(text)), 0};
  size_t start = 0;
  for (size_t end = 0; end <= list.len; end++) {
    if (end < list.len && list.ptr[end] != ',') continue;
    text part = {list.ptr + start, end - start};
    if (part.len > 0 && !holds(set, part)) set.ptr[set.len++] = part;
    start = end + 1;
  }
  return set;
}

/* As a JSON string. */
static text quoted(text plain) {
  static const char hex[] = "0123456789abcdef";
  /* At most \u00XX for each byte, and two quotes. */
  text json = {allot(6 * plain.len + 2, 1), 0};
  json.ptr[json.len++] = '"';
  for (size_t i = 0; i < plain.len; i++) {
    uint8_t byte = plain.ptr[i];
    if (byte < 0x20) {
      memcpy(json.ptr + json.len, "\\u00", 4);
      json.len += 4;
      json.ptr[json.len++] = (uint8_t)hex[byte >> 4];
      json.ptr[json.len++] = (uint8_t)hex[byte & 0xf];
      continue;
    }
    if (byte == '"' || byte == '\\') json.ptr[json.len++] = '\\';
    json.ptr[json.len++] = byte;
  }
  json.ptr[json.len++] = '"';
  return json;
}

static text address(text city, const text *country) {
  text start = joined(of("{\"city\":"), "", quoted(city));
  text end = country == NULL ? of("null") : quoted(*country);
  return joined(joined(start, ",\"country\":", end), "", of("}"));
}

static void put(outcome *item, const char *name, value value) {
  item->val.put.ptr[item->val.put.len++] = (field){of(name), value};
}

static value s(text s) {
  return (value){.tag = POOLHOOK_MAPPER_TYPES_VALUE_S, .val.s = s};
}

static value n(text n) {
  return (value){.tag = POOLHOOK_MAPPER_TYPES_VALUE_N, .val.n = n};
}

static value boolean(bool boolean) {
  return (value){.tag = POOLHOOK_MAPPER_TYPES_VALUE_BOOLEAN, .val.boolean = boolean};
}

static value ss(mapper_list_string_t ss) {
  return (value){.tag = POOLHOOK_MAPPER_TYPES_VALUE_SS, .val.ss = ss};
}

static value json(text json) {
  return (value){.tag = POOLHOOK_MAPPER_TYPES_VALUE_JSON, .val.json = json};
}

/* `true` with an outcome, `false` with an error. */
bool exports_poolhook_mapper_mapping_to_item(user *user, text *settings, outcome *outcome,
                                             text *error) {
  if (!is(*settings, "{}")) {
    *error = of("settings: this plugin takes none");
    return false;
  }
  if (is_true(user, "custom:internal")) {
    outcome->tag = POOLHOOK_MAPPER_TYPES_OUTCOME_SKIP;
    outcome->val.skip = of("the user is internal");
    return true;
  }
  text seat_count;
  if (!seats(user, &seat_count)) {
    text seats = *attribute(user, "custom:seats");
    *error = joined(of("custom:seats is not a whole number"), ": ", seats);
    return false;
  }
  const text *email = attribute(user, "email");
  const text *plan = attribute(user, "custom:plan");
  const text *groups = attribute(user, "custom:groups");
  const text *city = attribute(user, "custom:city");
  /* One sort key for two questions: who is on a plan, and since when. */
  text plan_joined = joined(plan == NULL ? of("free") : *plan, "#", user->time);
  /* In seconds, as DynamoDB's time to live wants it. */
  uint64_t trial_ends = user->time_ms / 1000 + TRIAL_DAYS * UINT64_C(86400);
  mapper_list_string_t group_set = parts(groups == NULL ? of("") : *groups);

  outcome->tag = POOLHOOK_MAPPER_TYPES_OUTCOME_PUT;
  outcome->val.put.ptr = allot(MOST_FIELDS, sizeof(field));
  outcome->val.put.len = 0;
  put(outcome, "id", s(user->user_name));
  /* Who signed up by phone has none. An index refuses an empty one. */
  if (email != NULL && email->len > 0) put(outcome, "email", s(*email));
  put(outcome, "planJoined", s(plan_joined));
  put(outcome, "seats", n(seat_count));
  /* DynamoDB knows no empty set. */
  if (group_set.len > 0) put(outcome, "groups", ss(group_set));
  if (city != NULL) {
    put(outcome, "address", json(address(*city, attribute(user, "custom:country"))));
  }
  put(outcome, "verified", boolean(is_true(user, "email_verified")));
  put(outcome, "trialEnds", n(decimal(trial_ends)));
  return true;
}
