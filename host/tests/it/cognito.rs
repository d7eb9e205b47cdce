//! Sign-ups through a user pool into tables of a DynamoDB server.

use poolhook::config::Table;
use serde_json::{Value, json};

use crate::servers::{self, CODE, PoolSeed};
use crate::stores::{create_table, items, table};
use crate::support::{OTHER_POOL, POOL, TestFolder, block_on};

const PASSWORD: &str = "Passw0rd!";

#[test]
fn sign_ups_reach_their_tables_on_ministack() {
    sign_ups_reach_their_tables(servers::ministack().url());
}

#[test]
fn sign_ups_reach_their_tables_on_dynalite() {
    sign_ups_reach_their_tables(servers::dynalite().url());
}

fn sign_ups_reach_their_tables(dynamodb: &str) {
    // Each table exists only in its pool's region: another region would give `Store.NoTable`.
    let tables = [
        table("ap-northeast-1", "User"),
        table("us-east-1", "Customer"),
    ];
    for table in &tables {
        block_on(create_table(dynamodb, table));
    }
    let folder = TestFolder::with_sample_pools();
    let serve = folder.serve(&["--dynamodb"], &[("AWS_ENDPOINT_URL_DYNAMODB", dynamodb)]);
    let clients = ["client0of0user", "client0of0customer"];
    let [pool, other_pool] = clients;
    let cognito = servers::cognito_local(
        &serve.url,
        "poolhook",
        &[
            PoolSeed {
                id: POOL,
                client_id: pool,
            },
            PoolSeed {
                id: OTHER_POOL,
                client_id: other_pool,
            },
        ],
    );

    let mut expected = [Vec::new(), Vec::new()];
    for number in 0..12 {
        let (client, expected) = (clients[number % 2], &mut expected[number % 2]);
        let user = format!("user-{number}");
        let email = format!("{user}@example.com");
        cognito.sign_up(client, &user, PASSWORD, &email).unwrap();
        cognito.confirm_sign_up(client, &user, CODE).unwrap();
        expected.push(json!({ "id": { "S": user }, "email": { "S": email } }));
    }
    for (table, expected) in tables.iter().zip(&expected) {
        assert_eq!(
            by_key(dynamodb, table),
            by_text(expected.clone()),
            "{}",
            serve.log()
        );
    }
    assert!(!serve.log().contains("skipped"), "{}", serve.log());

    // The same trigger, with an event that is not a sign-up.
    cognito.forgot_password(pool, "user-0").unwrap();
    cognito
        .confirm_forgot_password(pool, "user-0", CODE, "N3w-Passw0rd!")
        .unwrap();
    for (table, expected) in tables.iter().zip(expected) {
        assert_eq!(by_key(dynamodb, table), by_text(expected));
    }
    let log = serve.log();
    let outcomes = |outcome: &str| {
        let outcome = format!(r#""outcome":"{outcome}""#);
        log.lines().filter(|line| line.contains(&outcome)).count()
    };
    assert_eq!((outcomes("written"), outcomes("skipped")), (12, 1), "{log}");
}

/// A table's items, sorted by their text.
fn by_key(dynamodb: &str, table: &Table) -> Vec<Value> {
    by_text(block_on(items(dynamodb, table)))
}

fn by_text(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(Value::to_string);
    items
}
