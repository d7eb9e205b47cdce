/* The mapping by itself, natively: `make test`. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/mapper.h"

static int failures = 0;

/* There is no host here: what the plugin logs goes to standard error. */
void poolhook_mapper_logging_log(poolhook_mapper_logging_level_t level, mapper_string_t *message) {
  fprintf(stderr, "log %d: %.*s\n", level, (int)message->len, message->ptr);
}

static mapper_string_t of(const char *constant) {
  return (mapper_string_t){(uint8_t *)constant, strlen(constant)};
}

/* Maps a user with these attributes, name after value, up to a NULL; and writes
 * down what comes of it, a line for each field. */
static const char *mapped(const char *settings, const char *attributes[]) {
  static char said[4096];
  poolhook_mapper_types_attribute_t list[16];
  size_t count = 0;
  for (; attributes[2 * count] != NULL; count++) {
    list[count].name = of(attributes[2 * count]);
    list[count].value = of(attributes[2 * count + 1]);
  }
  exports_poolhook_mapper_mapping_user_t user = {
      .user_pool_id = of("ap-northeast-1_Q7mE2xYbA"),
      .region = of("ap-northeast-1"),
      .user_name = of("hanako"),
      .trigger_source = of("PostConfirmation_ConfirmSignUp"),
      .user_attributes = {list, count},
      .time = of("2026-11-23T09:06:52.123Z"),
      .time_ms = UINT64_C(1795424812123),
  };
  mapper_string_t given = of(settings), error;
  exports_poolhook_mapper_mapping_outcome_t outcome;
  char *end = said;
#define SAY(...) end += snprintf(end, (size_t)(said + sizeof said - end), __VA_ARGS__)
#define TEXT(text) (int)(text).len, (const char *)(text).ptr
  *end = 0;
  if (!exports_poolhook_mapper_mapping_to_item(&user, &given, &outcome, &error)) {
    SAY("error %.*s\n", TEXT(error));
    return said;
  }
  if (outcome.tag == POOLHOOK_MAPPER_TYPES_OUTCOME_SKIP) {
    SAY("skip %.*s\n", TEXT(outcome.val.skip));
    return said;
  }
  for (size_t i = 0; i < outcome.val.put.len; i++) {
    poolhook_mapper_types_field_t field = outcome.val.put.ptr[i];
    SAY("%.*s", TEXT(field.name));
    switch (field.value.tag) {
      case POOLHOOK_MAPPER_TYPES_VALUE_S:
        SAY(" S %.*s", TEXT(field.value.val.s));
        break;
      case POOLHOOK_MAPPER_TYPES_VALUE_N:
        SAY(" N %.*s", TEXT(field.value.val.n));
        break;
      case POOLHOOK_MAPPER_TYPES_VALUE_BOOLEAN:
        SAY(" BOOL %d", field.value.val.boolean);
        break;
      case POOLHOOK_MAPPER_TYPES_VALUE_SS:
        SAY(" SS");
        for (size_t j = 0; j < field.value.val.ss.len; j++) {
          SAY(" %.*s", TEXT(field.value.val.ss.ptr[j]));
        }
        break;
      case POOLHOOK_MAPPER_TYPES_VALUE_JSON:
        SAY(" json %.*s", TEXT(field.value.val.json));
        break;
      default:
        SAY(" ?");
    }
    SAY("\n");
  }
  return said;
}

static void expect(const char *name, const char *expected, const char *got) {
  if (strcmp(expected, got) != 0) {
    printf("FAILED %s: expected\n%sgot\n%s", name, expected, got);
    failures++;
    return;
  }
  printf("ok %s\n", name);
}

#define MAPPED(...) mapped("{}", (const char *[]){__VA_ARGS__})

int main(void) {
  expect("a user without attributes",
         "id S hanako\n"
         "planJoined S free#2026-11-23T09:06:52.123Z\n"
         "seats N 1\n"
         "verified BOOL 0\n"
         "trialEnds N 1798016812\n",
         MAPPED(NULL));

  expect("a user with all attributes",
         "id S hanako\n"
         "email S Hanako@example.com\n"
         "planJoined S gold#2026-11-23T09:06:52.123Z\n"
         "seats N 7\n"
         "groups SS b a\n"
         "address json {\"city\":\"Nagoya \\\"ナゴヤ\\\"\\u000a\",\"country\":\"J\\\\P\"}\n"
         "verified BOOL 1\n"
         "trialEnds N 1798016812\n",
         MAPPED("custom:city", "Nagoya \"ナゴヤ\"\n", "custom:country", "J\\P",
                "custom:groups", "b,,a,b,", "custom:plan", "gold", "custom:seats", "007",
                "email", "Hanako@example.com", "email_verified", "true", NULL));

  expect("what is not there",
         "id S hanako\n"
         "planJoined S free#2026-11-23T09:06:52.123Z\n"
         "seats N 0\n"
         "address json {\"city\":\"\",\"country\":null}\n"
         "verified BOOL 0\n"
         "trialEnds N 1798016812\n",
         MAPPED("custom:city", "", "custom:groups", ",,", "custom:seats", "000000", "email", "",
                NULL));

  expect("an internal user is skipped", "skip the user is internal\n",
         MAPPED("custom:internal", "true", "custom:seats", "many", NULL));

  const char *wrong[] = {"", "1.5", "-1", " 7", "7\n", "1e3", "1234567", "٣"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char expected[100];
    snprintf(expected, sizeof expected, "error custom:seats is not a whole number: %s\n",
             wrong[i]);
    expect("seats must be a whole number", expected, MAPPED("custom:seats", wrong[i], NULL));
  }

  expect("there are no settings", "error settings: this plugin takes none\n",
         mapped("{\"plan\":\"basic\"}", (const char *[]){NULL}));
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
