//! What `config check`, publishing and a warning find before a user is lost: keys that do not
//! fit their tables, and rows that do not fit their users.

use std::fs;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use serde_json::{Value, json};

use crate::aws_fixtures::mapper;
use crate::command_line::text;
use crate::servers;
use crate::stores::client;
use crate::support::{OTHER_POOL, POOL, TestFolder, block_on, event, failure, handle};

const FIELDS: &str = "table = 'User'\nplugin = 'fields'\n[settings.item]\n";

#[test]
fn a_plugin_that_writes_another_key_is_an_error() {
    for (config, name, says) in [
        (
            "table = 'User'\nkey.attribute = 'PK'",
            "Item.KeyMissing",
            "plugin: the item has no `PK`",
        ),
        (
            "table = 'User'\nkey.equals = 'USER#{userName}'",
            "Item.KeyNotTheUsers",
            "it must be `USER#8f14e45f-ceea-467f-a8f4-5f3a1b2c3d4e`, but is `8f14e45f",
        ),
        (
            "table = 'User'\nkey.sort = { attribute = 'SK', equals = 'PROFILE' }",
            "Item.KeyMissing",
            "plugin: the item has no `SK`",
        ),
        (
            &format!("{FIELDS}id = 'user.name | length'"),
            "Item.KeyNotText",
            "plugin: the key `id` is not text (S)",
        ),
    ] {
        let folder = TestFolder::new(&[(POOL, config)]);
        let (code, _, err) = text(&folder.poolhook(&["config", "check"]));
        assert_eq!(code, Some(1), "{config}: {err}");
        assert!(err.contains(says), "{config}: {err}");
        let (_, out, _) = text(&folder.poolhook(&["config", "check", "--json"]));
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(report["errors"][0]["errorType"], name, "{config}");
        // The same is what a sign-up ends with.
        let report = handle(&folder.host(), &event("confirm-sign-up"));
        assert_eq!(failure(&report), name, "{config}");
    }

    // A sort key that depends on the time is allowed, and warned of.
    let timed = |sort: &str| {
        let folder = TestFolder::new(&[(
            POOL,
            &format!("{FIELDS}id = 'user.name'\nSK = \"{sort}\"\n[key.sort]\nattribute = 'SK'"),
        )]);
        let (code, _, err) = text(&folder.poolhook(&["config", "check"]));
        assert_eq!(code, Some(0), "{err}");
        err.contains("warning: ") && err.contains("may write a second item")
    };
    assert!(timed("'JOINED#' ~ user.time"));
    assert!(timed("user.time_ms"));
    assert!(!timed("'PROFILE'"));

    // The template and the pool's own id agree with what the plugin writes.
    let right = "table = 'User'\nplugin = 'fields'\n\
        key = { attribute = 'PK', equals = '{userPoolId}#{userName}', sort.attribute = 'SK' }\n\
        [settings.item]\nPK = \"user.pool_id ~ '#' ~ user.name\"\nSK = '1'";
    let folder = TestFolder::new(&[(POOL, right)]);
    let (code, _, err) = text(&folder.poolhook(&["config", "check"]));
    assert_eq!(code, Some(0), "{err}");
}

/// Creates a table with the key `PK` and `SK` of these types, or `id`, and an index
/// `by-email`.
async fn create(url: &str, name: &str, keys: &[(&str, ScalarAttributeType)]) {
    let client = client(url, "ap-northeast-1").await;
    let email = [("email", ScalarAttributeType::S)];
    let mut create = client.create_table().table_name(name);
    create = create.billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in keys.iter().chain(&email) {
        let attribute = AttributeDefinition::builder().attribute_name(*name);
        let attribute = attribute.attribute_type(kind.clone()).build().unwrap();
        create = create.attribute_definitions(attribute);
    }
    let element = |name: &str, role| {
        let element = KeySchemaElement::builder().attribute_name(name);
        element.key_type(role).build().unwrap()
    };
    for ((name, _), role) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        create = create.key_schema(element(name, role));
    }
    let all = Projection::builder().projection_type(ProjectionType::All);
    let index = GlobalSecondaryIndex::builder()
        .index_name("by-email")
        .key_schema(element("email", KeyType::Hash))
        .projection(all.build());
    let create = create.global_secondary_indexes(index.build().unwrap());
    create.send().await.unwrap();
}

#[test]
fn the_real_table_is_compared() {
    let ministack = servers::ministack();
    let url = ministack.url();
    let (s, n) = (ScalarAttributeType::S, ScalarAttributeType::N);
    block_on(async {
        create(url, "User", &[("id", s.clone())]).await;
        create(url, "Count", &[("id", n.clone())]).await;
        create(url, "App", &[("PK", s.clone()), ("SK", s.clone())]).await;
        create(url, "Log", &[("PK", s), ("SK", n)]).await;
    });
    let composite = |table: &str, sort: &str, item: &str| {
        format!(
            "table = '{table}'\nplugin = 'fields'\nkey.attribute = 'PK'\n{sort}\n\
             [settings.item]\nPK = 'user.name'\n{item}"
        )
    };
    let profile = "key.sort = { attribute = 'SK', equals = 'PROFILE' }";
    let chosen = "key.sort.attribute = 'SK'";
    for (config, says) in [
        ("table = 'User'".to_owned(), ""),
        (
            "table = 'Nobody'".to_owned(),
            "table: the table Nobody does not exist in ap-northeast-1",
        ),
        (
            "table = 'Count'".to_owned(),
            "the partition key `id` of the table Count is of type N; poolhook needs one of type S",
        ),
        (
            format!("{FIELDS}PK = 'user.name'\n[key]\nattribute = 'PK'"),
            "the partition key of the table User is `id`, and `key.attribute` is `PK`",
        ),
        (
            composite("App", "", "SK = \"'PROFILE'\""),
            "the table App has the sort key `SK`: set `key.sort.attribute = \"SK\"`",
        ),
        (composite("App", profile, "SK = \"'PROFILE'\""), ""),
        (
            composite("App", "key.sort.attribute = 'sk'", "sk = \"'PROFILE'\""),
            "the sort key of the table App is `SK`, and `key.sort.attribute` is `sk`",
        ),
        (
            composite("Log", profile, "SK = \"'PROFILE'\""),
            "is of type N, and `key.sort.equals` is text",
        ),
        (composite("Log", chosen, "SK = '1'"), ""),
        (
            composite("Log", chosen, "SK = \"'1'\""),
            "the sort key `SK` of the table Log is of type N, but the sample item has it as S",
        ),
        (
            format!("{FIELDS}id = 'user.name'\nemail = '1'"),
            "the key `email` of the index by-email is of type S, but the sample item has it as N",
        ),
        (
            format!("{FIELDS}id = 'user.name'\nemail = \"''\""),
            "the key `email` of the index by-email must not be empty",
        ),
        (
            format!("{FIELDS}id = 'user.name'\n[key.sort]\nattribute = 'id'"),
            "the table User has no sort key: remove `key.sort`",
        ),
    ] {
        let folder = TestFolder::new(&[(POOL, &config)]);
        let mut check = folder.command(&["config", "check", "--dynamodb"]);
        check.env("AWS_ENDPOINT_URL_DYNAMODB", url);
        let (code, _, err) = text(&check.output().unwrap());
        assert_eq!(code, Some(i32::from(!says.is_empty())), "{config}: {err}");
        assert!(err.contains(says), "{config}: {err}");
        let (code, _, err) = text(&folder.poolhook(&["config", "check"]));
        assert_eq!(code, Some(0), "alone, the config is right: {config}: {err}");
    }
}

/// On the command line DynamoDB's own text; in the log the attribute and what is wrong.
#[test]
fn what_dynamodb_refuses_is_explained() {
    let dynalite = servers::dynalite();
    let url = dynalite.url();
    block_on(create(url, "User", &[("id", ScalarAttributeType::S)]));
    let folder = TestFolder::new(&[(POOL, &format!("{FIELDS}id = 'user.name'\nemail = '1'"))]);
    fs::write(folder.path().join("event.json"), event("confirm-sign-up")).unwrap();
    let mut run = folder.command(&["run", "--dynamodb", "event.json"]);
    let (code, _, err) = text(&run.env("AWS_ENDPOINT_URL_DYNAMODB", url).output().unwrap());
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("the attribute `email` is a key of another type"),
        "{err}"
    );
    assert!(
        err.contains("DynamoDB says: One or more parameter values were invalid"),
        "{err}"
    );
    assert!(err.contains("IndexName: by-email"), "{err}");

    let serve = folder.serve(&["--dynamodb"], &[("AWS_ENDPOINT_URL_DYNAMODB", url)]);
    let invoked = crate::support::http()
        .post(serve.invocations())
        .send(&event("confirm-sign-up"));
    drop(invoked.unwrap());
    let log = serve.log();
    assert!(
        log.contains("the attribute `email` is a key of another type"),
        "{log}"
    );
    assert!(!log.contains("DynamoDB says"), "{log}");
}

#[test]
fn a_component_that_no_pool_could_write_is_rejected() {
    let acme = "table = 'User'\nplugin = 'acme'\n";
    let folder = TestFolder::new(&[(POOL, acme)]);
    fs::write(folder.path().join("acme.wasm"), mapper("one", "")).unwrap();
    let publish = || text(&folder.poolhook(&["plugin", "publish", "acme.wasm"]));
    let (code, live, err) = publish();
    assert_eq!(code, Some(0), "{err}");

    // The pool needs another key now, and so does a second one, with settings.
    folder.configure(POOL, &format!("{acme}key.attribute = 'PK'"));
    folder.configure(
        OTHER_POOL,
        &format!("{acme}key.equals = 'U#{{userName}}'\n[settings]\na = 1"),
    );
    // Neither follows the live release.
    folder.configure(
        "eu-west-1_Pinned",
        &format!("table = 'User'\nplugin = 'acme@sha256:{live}'"),
    );
    folder.configure("eu-west-1_Default", "table = 'User'");
    fs::write(folder.path().join("acme.wasm"), mapper("two", "")).unwrap();
    let (code, _, err) = publish();
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("none of the 2 pools that follow the plugin"),
        "{err}"
    );
    assert!(
        err.contains("the item has no `PK`") || err.contains("is not this user's"),
        "{err}"
    );
    let (_, shown, _) = text(&folder.poolhook(&["plugin", "show", "acme", "--json"]));
    assert!(shown.contains("Upload.WrongKey"), "{shown}");
    assert!(
        shown.contains(live.trim()),
        "the live release stays: {shown}"
    );

    // One pool that can write its items is enough.
    folder.configure("eu-west-1_Right", acme);
    let (code, _, err) = publish();
    assert_eq!(code, Some(0), "{err}");
}

/// Two pools that share a row on purpose: the second user of a name has none of their own.
#[test]
fn a_different_item_is_a_warning_unless_only_the_time_differs() {
    let shared = "table = 'User'\nregion = 'eu-west-1'\nshared = true";
    let folder = TestFolder::new(&[(POOL, shared), (OTHER_POOL, shared)]);
    let host = folder.host();
    let first = event("confirm-sign-up");
    let mut other: Value = serde_json::from_slice(&first).unwrap();
    other["userPoolId"] = json!(OTHER_POOL);
    other["request"]["userAttributes"]["email"] = json!("other@example.com");
    let other = other.to_string();
    let line = |report: &poolhook::report::Report| -> Value {
        serde_json::from_str(&report.log_line("id")).unwrap()
    };
    assert_eq!(line(&handle(&host, &first))["outcome"], "written");
    let again = line(&handle(&host, &first));
    assert_eq!(
        (&again["outcome"], &again["level"]),
        (&json!("already there"), &json!("INFO"))
    );
    assert_eq!(again.get("differing"), None);
    let differs = line(&handle(&host, other.as_bytes()));
    assert_eq!(
        (&differs["outcome"], &differs["level"]),
        (&json!("already there"), &json!("WARN"))
    );
    assert_eq!(differs["differing"], json!(["email"]));
    fs::write(folder.path().join("event.json"), &other).unwrap();
    let (code, _, err) = text(&folder.poolhook(&["run", "event.json"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("already there, differing in email"), "{err}");
    let (_, out, _) = text(&folder.poolhook(&["run", "--json", "event.json"]));
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["differing"], json!(["email"]));

    // The same user a second time: the time of receipt is another, in every unit.
    let timed = format!(
        "{FIELDS}id = 'user.name'\nemail = 'user.attributes.email'\nsince = 'user.time'\n\
         day = 'user.time[:10]'\nttl = 'user.time_ms // 86400000'"
    );
    let folder = TestFolder::new(&[(POOL, &timed)]);
    let host = folder.host();
    let begun = line(&handle(&host, &first));
    assert_eq!(begun["outcome"], "written", "{begun}");
    std::thread::sleep(std::time::Duration::from_millis(3));
    let again = line(&handle(&host, &first));
    assert_eq!(
        (&again["outcome"], &again["level"]),
        (&json!("already there"), &json!("INFO"))
    );
    assert_eq!(again.get("differing"), None, "{again}");
    // The email differs as well.
    let changed = String::from_utf8(first)
        .unwrap()
        .replace("@example.com", "@example.org");
    let changed = line(&handle(&host, changed.as_bytes()));
    assert_eq!(changed["level"], "WARN");
    assert_eq!(changed["differing"], json!(["email"]));
}
