//! One conformance test for every store, and a comparison of our rules with DynamoDB servers'.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue as Sdk, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use poolhook::config::{Table, TableName, WriteMode};
use poolhook::item::{AttributeValue, Item, ItemError, Key, MAX_ITEM_BYTES, Number};
use poolhook::store::dynamodb::DynamoDb;
use poolhook::store::sqlite::Sqlite;
use poolhook::store::{Existing, ItemReader, ItemStore as _, Put};
use serde_json::Value;

use crate::servers;
use crate::support::{TestFolder, block_on};

const TOKYO: &str = "ap-northeast-1";
const VIRGINIA: &str = "us-east-1";

#[test]
fn sqlite_conforms() {
    let folder = TestFolder::with_sample_pools();
    let store = Sqlite::open(&folder.store()).unwrap();
    let items = async |table: &Table| {
        let items = store.items(table.name.as_str()).unwrap().into_iter();
        let here = items.filter(|stored| stored.region == table.region);
        here.map(|stored| serde_json::from_str(&stored.item).unwrap())
            .collect()
    };
    block_on(conforms(&store, &[TOKYO, VIRGINIA], true, items));
    for (name, _, keys) in sort_keys() {
        block_on(sorts(&store, true, &sorted_table(VIRGINIA, name), keys));
    }
}

#[test]
fn ministack_conforms() {
    let server = servers::ministack();
    block_on(dynamodb_conforms(server.url(), &[TOKYO, VIRGINIA], true));
}

#[test]
fn dynalite_conforms() {
    let server = servers::dynalite();
    // It has one set of tables for all regions, and does not return the existing item.
    block_on(dynamodb_conforms(server.url(), &[VIRGINIA], false));
}

pub(crate) async fn dynamodb(url: &str) -> DynamoDb {
    DynamoDb::new(&config(url).load().await)
}

async fn dynamodb_conforms(url: &str, regions: &[&str], tells: bool) {
    for region in regions {
        for name in ["User", "Customer"] {
            create_table(url, &table(region, name)).await;
        }
    }
    let store = dynamodb(url).await;
    conforms(&store, regions, tells, async |table| {
        items(url, table).await
    })
    .await;

    let ada = item([("id", text("ada"))]);
    let failure = async |table: &Table| {
        let put = store.put(table, &ada, WriteMode::Create, soon()).await;
        put.unwrap_err().name()
    };
    assert_eq!(failure(&table(VIRGINIA, "Nobody")).await, "Store.NoTable");
    let nobody = store.keys(&table(VIRGINIA, "Nobody"), None, 1).await;
    assert_eq!(nobody.unwrap_err().name(), "Store.NoTable");
    let other_key = Table {
        partition_key: "user".to_owned(),
        ..table(VIRGINIA, "Other")
    };
    create_table(url, &other_key).await;
    assert_eq!(failure(&table(VIRGINIA, "Other")).await, "Store.Refused");
    for (name, kind, mut keys) in sort_keys() {
        let table = sorted_table(VIRGINIA, name);
        if tells {
            // To ministack, 1250 and 1.250e3 are two keys.
            keys[2] = keys[1].clone();
        }
        create_sorted_table(url, &table, kind).await;
        sorts(&store, tells, &table, keys).await;
        // Neither do rows without the sort key fit, nor scans that begin after one.
        assert_eq!(failure(&table).await, "Store.Refused");
    }
}

/// The contract of [`ItemStore`]. `tells` is whether the store returns an existing item. `items`
/// reads all items of a table; each region has the empty tables `User` and `Customer`.
async fn conforms(
    store: &impl ItemReader,
    regions: &[&str],
    tells: bool,
    items: impl AsyncFn(&Table) -> Vec<Value>,
) {
    let put = async |table: &Table, item: &Item, write| {
        store.put(table, item, write, soon()).await.unwrap()
    };
    let there = |existing| Put::AlreadyThere(if tells { existing } else { Existing::Unknown });
    let user = table(regions[0], "User");
    let first = item([("id", text("ada")), ("email", text("ada@example.com"))]);
    let second = item([("id", text("ada")), ("name", text("Ada"))]);

    assert_eq!(put(&user, &first, WriteMode::Create).await, Put::Written);
    assert_eq!(
        put(&user, &first, WriteMode::Create).await,
        there(Existing::Same)
    );
    let differing = ["email", "name"].map(str::to_owned).to_vec();
    assert_eq!(
        put(&user, &second, WriteMode::Create).await,
        there(Existing::Different(differing))
    );
    assert_eq!(items(&user).await, [json(&first)]);
    assert_eq!(put(&user, &second, WriteMode::Replace).await, Put::Written);
    assert_eq!(items(&user).await, [json(&second)]);

    let mut elsewhere = vec![table(regions[0], "Customer")];
    elsewhere.extend(regions[1..].iter().map(|region| table(region, "User")));
    for other in &elsewhere {
        assert_eq!(items(other).await, [] as [Value; 0]);
        assert_eq!(put(other, &first, WriteMode::Create).await, Put::Written);
        assert_eq!(items(other).await, [json(&first)]);
    }
    assert_eq!(items(&user).await, [json(&second)]);

    let customer = &elsewhere[0];
    let everything = everything();
    assert_eq!(
        put(customer, &everything, WriteMode::Replace).await,
        Put::Written
    );
    assert_eq!(
        put(customer, &everything, WriteMode::Create).await,
        there(Existing::Same)
    );
    let kept = items(customer).await;
    assert_eq!(kept.len(), 2);
    assert!(kept.contains(&json(&everything)), "{kept:?}");
    reads(store, &user, customer, &second).await;
}

/// The contract of [`ItemReader`], with `user`, which has only the item `ada`, and `customer`,
/// which has two items.
async fn reads(store: &impl ItemReader, user: &Table, customer: &Table, ada: &Item) {
    let compare = async |item: &Item| store.compare(user, item, soon()).await.unwrap();
    assert_eq!(compare(ada).await, Some(Existing::Same));
    let other = item([("id", text("ada")), ("age", number("36"))]);
    let differing = ["age", "name"].map(str::to_owned).to_vec();
    assert_eq!(compare(&other).await, Some(Existing::Different(differing)));
    assert_eq!(compare(&item([("id", text("bob"))])).await, None);
    let everything = everything();
    let same = store.compare(customer, &everything, soon()).await.unwrap();
    assert_eq!(same, Some(Existing::Same));

    for limit in [1, 2, 50] {
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let page = store.keys(customer, after, limit).await.unwrap();
            assert!(page.keys.len() <= usize::from(limit));
            keys.extend(page.keys);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut keys: Vec<_> = keys
            .into_iter()
            .map(|key| (key.partition, key.sort))
            .collect();
        keys.sort_by(|one, other| one.0.cmp(&other.0));
        let expected = ["ada", "名前 é 🦀"].map(|key| (key.to_owned(), None));
        assert_eq!(keys, expected, "{limit} at a time");
    }
}

/// The contract of both traits with a table that has a sort key, which is empty. The three
/// values are sort keys of one type; the last is the second, in another form if it has one.
async fn sorts(store: &impl ItemReader, tells: bool, table: &Table, sorts: [AttributeValue; 3]) {
    let there = |existing| Put::AlreadyThere(if tells { existing } else { Existing::Unknown });
    let put = async |item: &Item, write| store.put(table, item, write, soon()).await.unwrap();
    let [one, two, again] = sorts;
    let row = |user: &str, sort: &AttributeValue, age| {
        item([
            ("id", text(user)),
            ("SK", sort.clone()),
            ("age", number(age)),
        ])
    };
    for user in ["ada", "bob", "eve"] {
        let (first, second) = (row(user, &one, "1"), row(user, &two, "2"));
        assert_eq!(put(&first, WriteMode::Create).await, Put::Written);
        assert_eq!(
            put(&second, WriteMode::Create).await,
            Put::Written,
            "{user}"
        );
        assert_eq!(put(&second, WriteMode::Create).await, there(Existing::Same));
        let differing = Existing::Different(vec!["age".to_owned()]);
        let third = row(user, &again, "3");
        assert_eq!(
            put(&third, WriteMode::Create).await,
            there(differing.clone())
        );
        let compare = async |item: &Item| store.compare(table, item, soon()).await.unwrap();
        assert_eq!(compare(&first).await, Some(Existing::Same));
        assert_eq!(compare(&third).await, Some(differing));
        assert_eq!(put(&third, WriteMode::Replace).await, Put::Written);
        assert_eq!(compare(&first).await, Some(Existing::Same), "another row");
        assert_eq!(compare(&third).await, Some(Existing::Same));
    }
    let absent = row("absent", &one, "1");
    assert_eq!(store.compare(table, &absent, soon()).await.unwrap(), None);
    for limit in [1, 2, 4, 50] {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = store.keys(table, after, limit).await.unwrap();
            rows.extend(page.keys);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(rows.len(), 6, "{limit} at a time");
        for user in ["ada", "bob", "eve"] {
            let of = |sort: &AttributeValue| {
                let is = |key: &&Key| {
                    key.partition == user && key.sort.as_ref().is_some_and(|key| key.is_same(sort))
                };
                rows.iter().filter(is).count()
            };
            assert_eq!((of(&one), of(&two)), (1, 1), "{limit} at a time");
        }
    }
}

/// Three sort keys of each type that a table can have, as [`sorts`] needs them.
fn sort_keys() -> [(&'static str, ScalarAttributeType, [AttributeValue; 3]); 3] {
    let bytes = |bytes: &[u8]| AttributeValue::B(bytes.to_vec());
    [
        (
            "Texts",
            ScalarAttributeType::S,
            [
                text("ORDER#1"),
                text("PROFILE \u{1f980}\"'"),
                text("PROFILE \u{1f980}\"'"),
            ],
        ),
        (
            "Numbers",
            ScalarAttributeType::N,
            [number("-0.5"), number("1250"), number("1.250e3")],
        ),
        (
            "Bytes",
            ScalarAttributeType::B,
            [bytes(b"\0"), bytes(b"\xff\0"), bytes(b"\xff\0")],
        ),
    ]
}

/// A table with the key `id` and `SK`.
pub(crate) fn sorted_table(region: &str, name: &str) -> Table {
    Table {
        sort_key: Some("SK".to_owned()),
        ..table(region, name)
    }
}

/// A file that was made before there were sort keys still has its items.
#[test]
fn sqlite_reads_files_without_sort_keys() {
    let folder = TestFolder::with_sample_pools();
    let old = rusqlite::Connection::open(folder.store()).unwrap();
    old.execute_batch(
        "create table items (
             region text not null, table_name text not null, key text not null,
             item text not null, written_at text not null default '2026',
             primary key (region, table_name, key)) strict;
         insert into items (region, table_name, key, item)
             values ('us-east-1', 'User', 'ada', '{\"id\":{\"S\":\"ada\"}}')",
    )
    .unwrap();
    drop(old);
    for _ in ["migrates", "again"] {
        let store = Sqlite::open(&folder.store()).unwrap();
        let ada = item([("id", text("ada"))]);
        let user = table(VIRGINIA, "User");
        let there = block_on(store.compare(&user, &ada, soon())).unwrap();
        assert_eq!(there, Some(Existing::Same));
        let store = Sqlite::open_existing(&folder.store()).unwrap();
        assert_eq!(store.items("User").unwrap().len(), 1);
    }
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(30)
}

/// An item with every type and a non-ASCII key. Sets are sorted, as `items` returns them.
fn everything() -> Item {
    let texts = ["a", "ä"].map(str::to_owned);
    let bytes = vec![0, 255, 10];
    let leaves = [
        ("S", text("\0 \"quoted\" \u{10ffff}")),
        ("N", number("-12345678901234567890.123456789012345678")),
        ("B", AttributeValue::B(bytes.clone())),
        ("BOOL", AttributeValue::Bool(false)),
        ("NULL", AttributeValue::Null),
        ("SS", AttributeValue::Ss(texts.to_vec())),
        (
            "NS",
            AttributeValue::Ns(["-1", "2.5"].map(|n| Number::parse(n).unwrap()).to_vec()),
        ),
        ("BS", AttributeValue::Bs(vec![bytes, b"a".to_vec()])),
        ("empty S", text("")),
        ("empty L", AttributeValue::L(Vec::new())),
        ("empty M", AttributeValue::M(BTreeMap::new())),
    ];
    let leaves = leaves.map(|(name, value)| (name.to_owned(), value));
    // The map of leaves is the 31st container.
    let deep = (1..31).fold(AttributeValue::M(leaves.clone().into()), |inner, level| {
        if level % 2 == 0 {
            AttributeValue::L(vec![inner])
        } else {
            AttributeValue::M([("里".to_owned(), inner)].into())
        }
    });
    let more = [
        ("id".to_owned(), text("名前 é 🦀")),
        ("deep".to_owned(), deep),
    ];
    Item::new(leaves.into_iter().chain(more)).unwrap()
}

#[test]
fn a_dead_endpoint_fails_in_time() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let failure = || {
        let began = Instant::now();
        let put = block_on(async {
            let item = item([("id", text("ada"))]);
            let store = DynamoDb::new(&config(&url).load().await);
            let until = tokio::time::Instant::now() + Duration::from_secs(3);
            store
                .put(&table(VIRGINIA, "User"), &item, WriteMode::Create, until)
                .await
        });
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{:?}",
            began.elapsed()
        );
        put.unwrap_err().name()
    };
    // First an endpoint that never answers, then one that is closed.
    assert_eq!(failure(), "Store.Timeout");
    drop(listener);
    assert_eq!(failure(), "Store.Unavailable");
}

/// ministack is the stricter of the two servers.
#[test]
fn our_rules_for_items_match_the_servers() {
    let server = servers::ministack();
    block_on(async {
        create_table(server.url(), &table(VIRGINIA, "User")).await;
        let client = client(server.url(), VIRGINIA).await;
        let mut wrong = Vec::new();
        for (case, value, expected) in values() {
            let item = sdk_item(value);
            let ours = from_sdk(&item).is_some();
            let theirs = accepts(&client, item).await;
            if (ours, theirs) != (expected, expected) {
                wrong.push(format!(
                    "{case}: we {ours}, they {theirs}, expected {expected}"
                ));
            }
        }
        for (case, value) in sized() {
            let item = |filler| {
                let mut item = sdk_item(value.clone());
                item.insert("filler".to_owned(), Sdk::S("f".repeat(filler)));
                item
            };
            let sizes: Vec<_> = (0..=MAX_ITEM_BYTES).collect();
            let too_large = sizes.partition_point(|size| from_sdk(&item(*size)).is_some());
            let theirs = [
                accepts(&client, item(too_large - 1)).await,
                accepts(&client, item(too_large)).await,
            ];
            if theirs != [true, false] {
                wrong.push(format!(
                    "{case}: filler {too_large} is too large; they {theirs:?}"
                ));
            }
        }
        for (length, expected) in [(0, false), (1, true), (2048, true), (2049, false)] {
            let key = "k".repeat(length);
            let ours = item([("id", text(&key))])
                .check_partition_key("id", &key)
                .is_ok();
            let theirs = accepts(&client, [("id".to_owned(), Sdk::S(key))].into()).await;
            if (ours, theirs) != (expected, expected) {
                wrong.push(format!("key of {length} bytes: we {ours}, they {theirs}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// Without a server: a name of 2 bytes, and a value.
#[test]
fn an_item_may_have_400_kb() {
    let item = |size: usize| Item::new([("id".to_owned(), text(&"k".repeat(size - 2)))]);
    assert!(item(409_600).is_ok());
    assert_eq!(item(409_601).unwrap_err(), ItemError::TooLarge);
}

/// Values on both sides of every limit except the size's, and whether DynamoDB accepts them.
fn values() -> Vec<(String, Sdk, bool)> {
    let nines = "9".repeat(38);
    let mut values = Vec::new();
    for (number, expected) in [
        (nines.clone(), true),
        (format!("-{nines}"), true),
        (format!("{nines}9"), false),
        (format!("{nines}000"), true),
        (format!("0.{nines}"), true),
        ("1E-130".to_owned(), true),
        ("-1E-130".to_owned(), true),
        ("9.9E-131".to_owned(), false),
        (format!("9.{}E+125", "9".repeat(37)), true),
        (format!("-9.{}E+125", "9".repeat(37)), true),
        ("1E+126".to_owned(), false),
        ("-1E+126".to_owned(), false),
        ("0".to_owned(), true),
        ("-0".to_owned(), true),
        ("1e3".to_owned(), true),
        ("NaN".to_owned(), false),
        ("Infinity".to_owned(), false),
        ("one".to_owned(), false),
        (String::new(), false),
    ] {
        values.push((format!("number {number:?}"), Sdk::N(number), expected));
    }
    for (levels, expected) in [(31, true), (32, true), (33, false)] {
        let leaf = || Sdk::S("leaf".to_owned());
        let map = |inner| Sdk::M([("m".to_owned(), inner)].into());
        let list = (1..levels).fold(leaf(), |inner, _| Sdk::L(vec![inner]));
        let maps = (1..levels).fold(leaf(), |inner, _| map(inner));
        values.push((format!("list, leaf at level {levels}"), list, expected));
        values.push((format!("map, leaf at level {levels}"), maps, expected));
    }
    let set = |members: &[&str]| members.iter().map(|&member| member.to_owned()).collect();
    for (case, value, expected) in [
        ("SS", Sdk::Ss(set(&["a", "A"])), true),
        ("SS with an empty text", Sdk::Ss(set(&[""])), true),
        ("empty SS", Sdk::Ss(set(&[])), false),
        ("SS repeated", Sdk::Ss(set(&["a", "a"])), false),
        ("empty NS", Sdk::Ns(set(&[])), false),
        ("NS repeated", Sdk::Ns(set(&["1", "1"])), false),
        ("NS repeated by value", Sdk::Ns(set(&["1", "1.0"])), false),
        ("empty BS", Sdk::Bs(Vec::new()), false),
        (
            "BS repeated",
            Sdk::Bs(vec![Blob::new("a"), Blob::new("a")]),
            false,
        ),
        ("empty S", Sdk::S(String::new()), true),
        ("empty B", Sdk::B(Blob::new("")), true),
        ("empty L", Sdk::L(Vec::new()), true),
        ("empty M", Sdk::M(HashMap::new()), true),
    ] {
        values.push((case.to_owned(), value, expected));
    }
    values
}

/// Values for counting bytes: each type by itself, then all together.
fn sized() -> Vec<(String, Sdk)> {
    let texts = ["a", "äöü", "🦀"].map(str::to_owned).to_vec();
    let numbers = [
        "0", "1", "-1", "12", "123", "1200", "0.05", "-0.5", "1E-130", "9.9E+125",
    ];
    let numbers = numbers.map(str::to_owned).to_vec();
    let mut values = vec![
        ("S", Sdk::S("名前 🦀".to_owned())),
        ("B", Sdk::B(Blob::new([0, 255, 10, 7]))),
        ("BOOL", Sdk::Bool(true)),
        ("NULL", Sdk::Null(true)),
        ("SS", Sdk::Ss(texts)),
        ("NS", Sdk::Ns(numbers.clone())),
        ("BS", Sdk::Bs(vec![Blob::new("a"), Blob::new([0, 255])])),
        ("empty L", Sdk::L(Vec::new())),
        ("empty M", Sdk::M(HashMap::new())),
    ];
    let values_so_far = || values.iter().map(|(_, value)| value.clone());
    let list = Sdk::L(values_so_far().collect());
    let named = values
        .iter()
        .map(|(name, value)| (format!("鍵 {name}"), value.clone()));
    let map = Sdk::M(named.collect());
    let deep = (1..30).fold(map.clone(), |inner, _| {
        Sdk::M([("é".to_owned(), Sdk::Bool(false)), ("m".to_owned(), inner)].into())
    });
    values.extend([("L", list), ("M", map), ("deep", deep)]);
    let mut values: Vec<_> = values
        .into_iter()
        .map(|(case, value)| (case.to_owned(), value))
        .collect();
    let more = [
        "9".repeat(38),
        format!("-{}", "9".repeat(38)),
        format!("0.{}", "1".repeat(38)),
    ];
    let numbers = numbers.into_iter().chain(more);
    values.extend(numbers.map(|number| (format!("N {number}"), Sdk::N(number))));
    values
}

fn sdk_item(value: Sdk) -> HashMap<String, Sdk> {
    [
        ("id".to_owned(), Sdk::S("ada".to_owned())),
        ("値".to_owned(), value),
    ]
    .into()
}

/// Whether the server accepts the item; an error must be about the item.
async fn accepts(client: &Client, item: HashMap<String, Sdk>) -> bool {
    match client
        .put_item()
        .table_name("User")
        .set_item(Some(item))
        .send()
        .await
    {
        Ok(_) => true,
        Err(error) => {
            let code = error
                .as_service_error()
                .and_then(|error| error.meta().code());
            assert_eq!(code, Some("ValidationException"), "{error:?}");
            false
        }
    }
}

/// A table's items, in DynamoDB's JSON and with the members of sets sorted.
pub(crate) async fn items(url: &str, table: &Table) -> Vec<Value> {
    let client = client(url, &table.region).await;
    let scan = client
        .scan()
        .table_name(table.name.as_str())
        .consistent_read(true);
    let scan = scan.send().await.unwrap();
    scan.items()
        .iter()
        .map(|item| json(&from_sdk(item).unwrap()))
        .collect()
}

/// Creates a table, with a sort key of type S if it has one.
pub(crate) async fn create_table(url: &str, table: &Table) {
    create_sorted_table(url, table, ScalarAttributeType::S).await;
}

async fn create_sorted_table(url: &str, table: &Table, sort: ScalarAttributeType) {
    let Table { region, name, .. } = table;
    let mut create = client(url, region)
        .await
        .create_table()
        .table_name(name.as_str())
        .billing_mode(BillingMode::PayPerRequest);
    let partition = (&table.partition_key, KeyType::Hash, ScalarAttributeType::S);
    let sort = table
        .sort_key
        .as_ref()
        .map(|key| (key, KeyType::Range, sort));
    for (key, role, kind) in [Some(partition), sort].into_iter().flatten() {
        let attribute = AttributeDefinition::builder().attribute_name(key);
        let element = KeySchemaElement::builder().attribute_name(key);
        create = create
            .attribute_definitions(attribute.attribute_type(kind).build().unwrap())
            .key_schema(element.key_type(role).build().unwrap());
    }
    create.send().await.unwrap();
    // dynalite creates it in the background.
    let client = client(url, region).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let table = client
            .describe_table()
            .table_name(name.as_str())
            .send()
            .await
            .unwrap();
        let status = table
            .table()
            .unwrap()
            .table_status()
            .unwrap()
            .as_str()
            .to_owned();
        if status == "ACTIVE" {
            return;
        }
        assert!(Instant::now() < deadline, "{name} is {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn table(region: &str, name: &str) -> Table {
    Table {
        region: region.to_owned(),
        name: TableName::try_from(name.to_owned()).unwrap(),
        partition_key: "id".to_owned(),
        sort_key: None,
    }
}

pub(crate) async fn client(url: &str, region: &str) -> Client {
    let config = config(url).region(Region::new(region.to_owned()));
    Client::new(&config.load().await)
}

fn config(url: &str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
}

/// Converts to our item, if it follows our rules.
fn from_sdk(item: &HashMap<String, Sdk>) -> Option<Item> {
    let attributes = item
        .iter()
        .map(|(name, value)| Some((name.clone(), ours(value)?)));
    Item::new(attributes.collect::<Option<Vec<_>>>()?).ok()
}

fn ours(value: &Sdk) -> Option<AttributeValue> {
    let bytes = |blob: &Blob| blob.as_ref().to_vec();
    Some(match value {
        Sdk::S(text) => AttributeValue::S(text.clone()),
        Sdk::N(number) => AttributeValue::N(Number::parse(number).ok()?),
        Sdk::B(blob) => AttributeValue::B(bytes(blob)),
        Sdk::Bool(value) => AttributeValue::Bool(*value),
        Sdk::Null(_) => AttributeValue::Null,
        Sdk::Ss(members) => AttributeValue::Ss(sorted(members.clone())),
        Sdk::Ns(members) => {
            let members = sorted(members.clone()).into_iter();
            AttributeValue::Ns(
                members
                    .map(|n| Number::parse(&n).ok())
                    .collect::<Option<_>>()?,
            )
        }
        Sdk::Bs(members) => AttributeValue::Bs(sorted(members.iter().map(bytes).collect())),
        Sdk::L(values) => AttributeValue::L(values.iter().map(ours).collect::<Option<_>>()?),
        Sdk::M(entries) => {
            let entries = entries
                .iter()
                .map(|(name, value)| Some((name.clone(), ours(value)?)));
            AttributeValue::M(entries.collect::<Option<_>>()?)
        }
        other => panic!("{other:?}"),
    })
}

fn sorted<T: Ord>(mut members: Vec<T>) -> Vec<T> {
    members.sort();
    members
}

fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    Item::new(attributes.map(|(name, value)| (name.to_owned(), value))).unwrap()
}

fn json(item: &Item) -> Value {
    serde_json::to_value(item).unwrap()
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: &str) -> AttributeValue {
    AttributeValue::N(Number::parse(number).unwrap())
}
