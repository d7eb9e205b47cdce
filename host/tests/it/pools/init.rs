//! `poolhook pools init`: from no file to a pool's file that `config check` accepts.

use std::fs;
use std::path::Path;
use std::process::Output;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::Credentials;
use aws_sdk_cognitoidentityprovider::types::{AttributeDataType as Type, SchemaAttributeType};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType as KeyKind,
};
use serde_json::{Value, json};

use crate::command_line::text;
use crate::servers::{self, Server};
use crate::stores;
use crate::support::{TestFolder, block_on, http, tests};

const POOL: &str = "eu-west-1_AbCdEfGhI";
const OTHER: &str = "eu-west-1_Fg56Hi78J";
const REGION: &str = "eu-west-1";

/// The commands that `pools init` prints as the next ones.
fn next(said: &str) -> Vec<Vec<&str>> {
    let (_, commands) = said.split_once("Next:\n").unwrap();
    let commands = commands.lines().map_while(|line| line.strip_prefix("  "));
    commands
        .map(|line| line.split(' ').skip(1).collect())
        .collect()
}

#[test]
fn from_an_empty_folder_to_an_item() {
    let folder = TestFolder::new(&[]);
    fs::remove_dir(folder.config()).unwrap();
    let (code, out, err) = text(&folder.poolhook(&["pools", "init", POOL, "--offline"]));
    let files = format!("config/{POOL}.toml\nevent.json\n");
    assert_eq!((code, out), (Some(0), files), "{err}");
    let [check, run, serve] = &next(&err)[..] else {
        panic!("{err}");
    };

    let (code, out, err) = text(&folder.poolhook(check));
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out, format!("{POOL}  User in {REGION}, plugin fields\n"));
    assert!(!err.contains("warning") && !err.contains("note"), "{err}");
    let (code, out, err) = text(&folder.poolhook(run));
    assert_eq!(code, Some(0), "{err}");
    let item: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(item["email"]["S"], "hanako@example.com");
    assert_eq!(item["id"], item["sub"]);

    assert_eq!(serve, &["serve"]);
    let serve = folder.serve(&[], &[]);
    let event = fs::read(folder.path().join("event.json")).unwrap();
    let answer = http().post(serve.invocations()).send(&event).unwrap();
    let mut answer = answer.into_body();
    assert_eq!(answer.read_to_vec().unwrap(), event, "{}", serve.log());
    assert_eq!(folder.items("User").len(), 1);
}

/// The README shows the file that its first command writes.
#[test]
fn the_readmes_first_steps_work() {
    let readme = fs::read_to_string(tests("../../README.md")).unwrap();
    let (_, section) = readme.split_once("## Configure it\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (steps, shown) = section.split_once("```toml\n").unwrap();
    let folder = TestFolder::new(&[]);
    fs::remove_dir(folder.config()).unwrap();
    let commands = steps.lines().filter_map(|line| line.strip_prefix("    "));
    let commands: Vec<_> = commands.collect();
    assert_eq!(commands.len(), 2, "{steps}");
    for command in commands {
        let arguments: Vec<_> = command.split(' ').skip(1).collect();
        let (code, _, err) = text(&folder.poolhook(&arguments));
        assert_eq!(code, Some(0), "{command}: {err}");
    }
    let values = |text: &str| -> Value { toml::from_str(text).unwrap() };
    let shown = shown.split("```").next().unwrap();
    assert_eq!(values(shown), values(&file(&folder, POOL)));
    assert_eq!(folder.items("User").len(), 1);
}

#[test]
fn the_next_commands_name_another_folder() {
    let folder = TestFolder::new(&[]);
    let init = [
        "pools",
        "init",
        POOL,
        "--offline",
        "--config",
        "deploy/pools",
    ];
    let (code, out, err) = text(&folder.poolhook(&init));
    let files = format!("deploy/pools/{POOL}.toml\ndeploy/event.json\n");
    assert_eq!((code, out), (Some(0), files), "{err}");
    for command in &next(&err)[..2] {
        let (code, _, err) = text(&folder.poolhook(command));
        assert_eq!(code, Some(0), "{command:?}: {err}");
    }
    assert_eq!(next(&err)[2], ["serve", "--config", "deploy/pools"]);
}

#[test]
fn no_file_is_replaced() {
    let mine = "table = 'Mine'\n";
    let folder = TestFolder::new(&[(POOL, mine)]);
    fs::write(folder.path().join("event.json"), "mine").unwrap();
    let init = ["pools", "init", POOL, OTHER, OTHER, "--offline"];
    let (code, out, err) = text(&folder.poolhook(&init));
    assert_eq!((code, out), (Some(1), format!("config/{OTHER}.toml\n")));
    for said in [
        format!("{POOL}: config/{POOL}.toml is there already, and is not changed"),
        "event.json is there already, and is not changed".to_owned(),
    ] {
        assert!(err.contains(&said), "{err}");
    }
    let read = |file: &Path| fs::read_to_string(file).unwrap();
    let own = folder.config().join(POOL).with_extension("toml");
    assert_eq!(read(&own), mine);
    assert_eq!(read(&folder.path().join("event.json")), "mine");
    let left = fs::read_dir(folder.config()).unwrap();
    assert_eq!(left.count(), 2, "a temporary file is left");
}

#[test]
fn pools_of_one_table_have_keys_of_their_own() {
    let folder = TestFolder::new(&[]);
    let elsewhere = "us-east-1_AbCdEfGhI";
    let init = ["pools", "init", POOL, OTHER, elsewhere, "--offline"];
    let (code, _, err) = text(&folder.poolhook(&init));
    assert_eq!(code, Some(0), "{err}");
    is_right(&folder, &[]);
    let own = "equals = \"{userPoolId}#{userName}\"";
    let id = "id    = \"user.pool_id ~ '#' ~ user.name\"";
    for pool in [POOL, OTHER] {
        let text = file(&folder, pool);
        assert!(text.contains(own) && text.contains(id), "{text}");
    }
    // A table of this name in another Region is another table.
    assert!(!file(&folder, elsewhere).contains("[key]"));

    let third = "eu-west-1_Third";
    let (code, _, err) = text(&folder.poolhook(&["pools", "init", third, "--offline"]));
    assert_eq!(code, Some(1), "the event is there: {err}");
    is_right(&folder, &[]);

    let folder = TestFolder::new(&[(OTHER, "table = 'User'")]);
    let (code, out, err) = text(&folder.poolhook(&["pools", "init", POOL, "--offline"]));
    assert_eq!((code, out.as_str()), (Some(1), "event.json\n"), "{err}");
    let said = format!(
        "{POOL}: its users and those of {OTHER} could have the same rows in the table User. Pass another --table, or give {OTHER} keys"
    );
    assert!(err.contains(&said), "{err}");
}

#[test]
fn the_defaults_hold() {
    let defaults = "table = 'App'\nregion = 'eu-central-1'\nplugin = 'fields'
        [key]\nattribute = 'PK'\nequals = \"USER#{userName}\"
        [key.sort]\nattribute = 'SK'\nequals = \"PROFILE\"
        [settings.item]\nother = 'user.name'";
    let folder = TestFolder::new(&[("defaults", defaults)]);
    let (code, _, err) = text(&folder.poolhook(&["pools", "init", POOL, "--offline"]));
    assert_eq!(code, Some(0), "{err}");
    let text_of_file = file(&folder, POOL);
    assert!(text_of_file.contains("table = \"App\""), "{text_of_file}");
    assert!(!text_of_file.contains("[key"), "{text_of_file}");
    is_right(&folder, &[]);
    let (code, out, err) = text(&folder.poolhook(&["run", "event.json"]));
    assert_eq!(code, Some(0), "{err}");
    let item: Value = serde_json::from_str(&out).unwrap();
    let sub = item["sub"]["S"].as_str().unwrap();
    assert_eq!(item["PK"]["S"], format!("USER#{sub}"));
    assert_eq!(item["SK"]["S"], "PROFILE");
    assert_eq!(item["id"]["S"], sub);
}

#[test]
fn what_cannot_be_written_is_wrong_usage() {
    let folder = TestFolder::new(&[]);
    let bucket = ["--config", "s3://my-bucket/config"];
    for (arguments, said) in [
        (
            &[POOL, "--offline", bucket[0], bucket[1]][..],
            "s3://my-bucket/config/ is a bucket, and this command writes to a folder. Pass --config DIR, then copy the folder: aws s3 sync DIR s3://my-bucket/config/",
        ),
        (
            &[POOL],
            "no table is named. Pass --table NAME, or set `table` in defaults.toml",
        ),
        (&["eu-west-1"], "a user pool id is"),
        (&[POOL, "--table", "a"], "must be a table's name"),
    ] {
        let init = [&["pools", "init"], arguments].concat();
        let (code, out, err) = text(&folder.poolhook(&init));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn the_pools_own_attributes_are_mapped() {
    let aws = Aws::start();
    let pool = aws.pool(&[
        ("email", Type::String, true, false),
        ("plan", Type::String, false, false),
        ("seats", Type::Number, false, false),
        ("trial", Type::Boolean, false, false),
        ("since", Type::Datetime, false, false),
        // Names of the user's other attributes.
        ("id", Type::String, false, false),
        ("custom:name", Type::String, false, false),
        ("score", Type::Number, false, true),
        ("it's \"a\\b\"", Type::String, false, false),
        ("数-1", Type::String, false, false),
    ]);
    aws.table("Member", &[("id", KeyKind::S)]);
    let (code, out, err) = aws.init(&[&pool, "--table", "Member"]);
    assert_eq!(
        (code, out),
        (Some(0), format!("config/{pool}.toml\n")),
        "{err}"
    );
    for said in [
        "  poolhook config check --dynamodb\n".to_owned(),
        format!("  poolhook pools attach {pool} --stack poolhook\n"),
    ] {
        assert!(err.contains(&said), "{err}");
    }
    let written = file(&aws.folder, &pool);
    let head = format!(
        "#:schema ./schema.json
# The user pool {pool}, members.
table = \"Member\"
plugin = \"fields\"

[settings.item]
id    = \"user.name\"
sub   = \"user.attributes.sub\"
email = \"user.attributes.email\"

# The pool's other attributes. Remove the # of those that the item should have.
"
    );
    assert!(written.starts_with(&head), "{written}");
    for (name, expression) in [
        ("given_name", "user.attributes.given_name | optional"),
        (
            "email_verified",
            "user.attributes.email_verified | bool | optional",
        ),
        (
            "updated_at",
            "user.attributes.updated_at | number | optional",
        ),
        ("plan", "user.attributes['custom:plan'] | optional"),
        (
            "seats",
            "user.attributes['custom:seats'] | number | optional",
        ),
        ("trial", "user.attributes['custom:trial'] | bool | optional"),
        ("since", "user.attributes['custom:since'] | optional"),
        ("custom_id", "user.attributes['custom:id'] | optional"),
        ("name", "user.attributes.name | optional"),
        ("custom_name", "user.attributes['custom:name'] | optional"),
        ("score", "user.attributes['dev:score'] | number | optional"),
        (
            "it's \"a\\b\"",
            "user.attributes['custom:it\\'s \"a\\\\b\"'] | optional",
        ),
        ("数-1", "user.attributes['custom:数-1'] | optional"),
    ] {
        assert_eq!(item(&without_comments(&written))[name], expression);
    }
    is_right(&aws.folder, &aws.env());

    let event = json!({
        "userPoolId": pool, "userName": "hanako", "triggerSource": "PostConfirmation_ConfirmSignUp",
        "request": { "userAttributes": {
            "sub": "1", "email": "hanako@example.com", "custom:seats": "3.50",
            "custom:trial": "true", "dev:score": "7", "custom:it's \"a\\b\"": "x",
        } },
    });
    fs::write(aws.folder.path().join("event.json"), event.to_string()).unwrap();
    let all = without_comments(&written);
    aws.folder.configure(&pool, &all);
    let (code, out, err) = aws.poolhook(&["run", "--dynamodb", "event.json"]);
    assert_eq!(code, Some(0), "{err}");
    let expected = json!({
        "id": { "S": "hanako" }, "sub": { "S": "1" }, "email": { "S": "hanako@example.com" },
        "seats": { "N": "3.50" }, "trial": { "BOOL": true }, "score": { "N": "7" },
        "it's \"a\\b\"": { "S": "x" },
    });
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
}

#[test]
fn the_tables_key_is_read() {
    let aws = Aws::start();
    let pool = aws.pool(&[("seats", Type::Number, false, false)]);
    for (table, key, expected) in [
        (
            "Sorted",
            &[("PK", KeyKind::S), ("SK", KeyKind::S)][..],
            json!({ "PK": "user.name", "SK": "'PROFILE'", "id": "user.name" }),
        ),
        (
            "ByEmail",
            &[("id", KeyKind::S), ("email", KeyKind::S)],
            json!({ "id": "user.name", "email": "user.attributes.email" }),
        ),
        (
            "BySeats",
            &[("id", KeyKind::S), ("seats", KeyKind::N)],
            json!({ "seats": "user.attributes['custom:seats'] | number" }),
        ),
        (
            "ByNumber",
            &[("id", KeyKind::S), ("number", KeyKind::N)],
            json!({ "number": "0" }),
        ),
        (
            "ByBytes",
            &[("id", KeyKind::S), ("email", KeyKind::B)],
            json!({ "email": "'UFJPRklMRQ==' | base64", "user_email": "user.attributes.email | optional" }),
        ),
        (
            "Quoted",
            &[("the \"key\"", KeyKind::S)],
            json!({ "the \"key\"": "user.name", "id": "user.name" }),
        ),
    ] {
        aws.table(table, key);
        let (code, _, err) = aws.init(&[&pool, "--table", table]);
        assert_eq!(code, Some(0), "{table}: {err}");
        let written = file(&aws.folder, &pool);
        let has_key = written.contains("[key]\n");
        assert_eq!(has_key, key[0].0 != "id", "{written}");
        assert_eq!(written.contains("[key.sort]\n"), key.len() > 1, "{written}");
        let active = item(&written);
        for (name, expression) in expected.as_object().unwrap() {
            assert_eq!(active[name], *expression, "{table}: {written}");
        }
        is_right(&aws.folder, &aws.env());
        let own = aws.folder.config().join(&pool).with_extension("toml");
        fs::remove_file(own).unwrap();
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_others_are_written() {
    let aws = Aws::start();
    let pool = aws.pool(&[]);
    aws.table("Member", &[("id", KeyKind::S)]);
    aws.table("Numbers", &[("id", KeyKind::N)]);
    let (code, out, err) = aws.init(&[POOL, &pool, "--table", "Member"]);
    assert_eq!((code, out), (Some(1), format!("config/{pool}.toml\n")));
    let said = format!(
        "{POOL}: the user pool {POOL} does not exist in this account. Check the id, and the account of the credentials"
    );
    assert!(err.contains(&said), "{err}");

    let pool = aws.pool(&[]);
    for (table, said) in [
        (
            "Absent",
            "the table Absent does not exist in eu-west-1. Create it, pass another --table, or set `region` in defaults.toml",
        ),
        (
            "Numbers",
            "the partition key `id` of the table Numbers is of type N, and poolhook needs one of type S. Pass another --table",
        ),
    ] {
        let (code, out, err) = aws.init(&[&pool, "--table", table]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains(&format!("{pool}: {said}")), "{err}");
    }
    aws.folder
        .configure("defaults", "key.sort.attribute = 'SK'");
    let (code, _, err) = aws.init(&[&pool, "--table", "Member"]);
    assert_eq!(code, Some(1));
    let said = "defaults.toml sets `key.sort`, and the table Member has no sort key";
    assert!(err.contains(said), "{err}");

    let init = ["pools", "init", &pool, "--table", "Member"];
    let mut command = aws.folder.command(&init);
    command.env_remove("AWS_ACCESS_KEY_ID").envs(aws.env());
    let (code, _, err) = text(&command.output().unwrap());
    assert_eq!(code, Some(1));
    assert!(err.contains("no credentials: set AWS_PROFILE"), "{err}");
}

/// Cognito and DynamoDB, and a folder to run `poolhook` in.
struct Aws {
    ministack: Server,
    folder: TestFolder,
}

impl Aws {
    fn start() -> Self {
        Self {
            ministack: servers::ministack(),
            folder: TestFolder::new(&[]),
        }
    }

    fn env(&self) -> Vec<(&str, &str)> {
        vec![
            ("AWS_ENDPOINT_URL", self.ministack.url()),
            ("AWS_REGION", "us-east-1"),
        ]
    }

    fn poolhook(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        poolhook(&self.folder, arguments, &self.env())
    }

    fn init(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.poolhook(&[&["pools", "init"], arguments].concat())
    }

    /// Creates a pool with these attributes: name, type, whether it is required, and whether
    /// only developers may write it.
    fn pool(&self, schema: &[(&str, Type, bool, bool)]) -> String {
        let attributes = schema.iter().map(|(name, kind, required, for_developers)| {
            SchemaAttributeType::builder()
                .name(*name)
                .attribute_data_type(kind.clone())
                .required(*required)
                .mutable(true)
                .developer_only_attribute(*for_developers)
                .build()
        });
        let create = async {
            let config = aws_config::defaults(BehaviorVersion::latest())
                .endpoint_url(self.ministack.url())
                .region(Region::new(REGION))
                .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
            let create = Client::new(&config.load().await).create_user_pool();
            let create = create.pool_name("members");
            let created = create.set_schema(Some(attributes.collect())).send().await;
            created.unwrap().user_pool.unwrap().id.unwrap()
        };
        block_on(create)
    }

    /// Creates a table with these keys: the partition key, and the sort key if it has one.
    fn table(&self, name: &str, key: &[(&str, KeyKind)]) {
        block_on(async {
            let client = stores::client(self.ministack.url(), REGION).await;
            let mut create = client
                .create_table()
                .table_name(name)
                .billing_mode(BillingMode::PayPerRequest);
            for ((attribute, kind), role) in key.iter().zip([KeyType::Hash, KeyType::Range]) {
                let definition = AttributeDefinition::builder().attribute_name(*attribute);
                let element = KeySchemaElement::builder().attribute_name(*attribute);
                create = create
                    .attribute_definitions(definition.attribute_type(kind.clone()).build().unwrap())
                    .key_schema(element.key_type(role).build().unwrap());
            }
            create.send().await.unwrap();
        });
    }
}

fn poolhook(
    folder: &TestFolder,
    arguments: &[&str],
    env: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let mut command = folder.command(arguments);
    let output: Output = command.envs(env.iter().copied()).output().unwrap();
    text(&output)
}

fn file(folder: &TestFolder, pool: &str) -> String {
    fs::read_to_string(folder.config().join(pool).with_extension("toml")).unwrap()
}

/// The mapping's expressions, by name.
fn item(text: &str) -> Value {
    let file: Value = toml::from_str(text).unwrap();
    file["settings"]["item"].clone()
}

/// The text with each attribute that is a comment active.
fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.contains(" = \"") => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Each pool's file passes `config check` without a warning, as it is written and with
/// every attribute active. With an `env`, it is compared with DynamoDB's tables.
fn is_right(folder: &TestFolder, env: &[(&str, &str)]) {
    let mut check = vec!["config", "check", "--json"];
    check.extend((!env.is_empty()).then_some("--dynamodb"));
    let check = || {
        let (code, out, err) = poolhook(folder, &check, env);
        assert_eq!(code, Some(0), "{out}{err}");
        let found: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(found["warnings"], json!([]));
        assert_eq!(found["ignored"], json!([]));
    };
    check();
    let mut as_written = Vec::new();
    for entry in fs::read_dir(folder.config()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let all = without_comments(&text);
        if text.starts_with("#:schema ./schema.json\n") {
            assert!(all.matches(" = ").count() > text.matches("\n# ").count());
            fs::write(&path, all).unwrap();
            as_written.push((path, text));
        }
    }
    assert!(!as_written.is_empty());
    check();
    for (path, text) in as_written {
        fs::write(path, text).unwrap();
    }
}
