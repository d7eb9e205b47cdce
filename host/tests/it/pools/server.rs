//! The part of AWS that `poolhook pools` talks to, in this process and on one URL: Cognito's
//! user pools with AWS's semantics (`pool.rs`), and as much of Lambda and CloudFormation as the
//! commands ask for (`lambda.rs`, `stacks.rs`).
//!
//! A test sets faults for a pool, holds a request, and reads the log of all requests.

pub(super) mod fault;
pub(super) mod http;
pub(super) mod lambda;
pub(super) mod pool;
pub(super) mod stacks;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use fault::{Fault, Moment};
use http::{Answer, Http};
use lambda::Function;
use pool::{Pool, Refused};
use stacks::Stacks;

pub(super) type Document = Map<String, Value>;

/// The Region of the server's pools and functions.
pub(super) const REGION: &str = "eu-west-1";
pub(super) const ACCOUNT: &str = "123456789012";

/// Cognito, Lambda and CloudFormation, stopped on drop.
pub(super) struct Aws {
    pub(super) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    held: Condvar,
    stopped: AtomicBool,
}

#[derive(Default)]
struct World {
    pools: BTreeMap<String, Pool>,
    functions: BTreeMap<String, Function>,
    stacks: Stacks,
    /// The actions that the caller may not do.
    denied: BTreeSet<&'static str>,
    /// Each request with a number that this divides is throttled.
    throttled: Option<usize>,
    requests: Vec<Request>,
    hold: Option<Hold>,
}

/// A request that the server has received.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) action: String,
    /// The pool that it is about.
    pub(super) pool: Option<String>,
    pub(super) body: Document,
    pub(super) at: Instant,
}

/// A request that is not answered.
struct Hold {
    number: usize,
    moment: Moment,
    reached: bool,
    released: bool,
}

impl Aws {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let of_all = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if of_all.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_all);
                // A client that goes away ends its thread.
                thread::spawn(move || client.and_then(|client| shared.serve(client)));
            }
        });
        Self { url, shared }
    }

    pub(super) fn add(&self, pool: Pool) {
        self.world().pools.insert(pool.id(), pool);
    }

    /// Changes a pool as another writer would.
    pub(super) fn change(&self, pool: &str, change: impl FnOnce(&mut Pool)) {
        change(self.world().pools.get_mut(pool).unwrap());
    }

    /// The pool's settings and MFA configuration as JSON whose members are sorted, without the
    /// fields that change by themselves.
    pub(super) fn settings(&self, pool: &str) -> String {
        let world = self.world();
        let pool = &world.pools[pool];
        json!({ "pool": pool.settings(), "mfa": pool.mfa() }).to_string()
    }

    /// The function of the pool's Post Confirmation trigger.
    pub(super) fn trigger(&self, pool: &str) -> Option<String> {
        let world = self.world();
        let trigger = &world.pools[pool].settings()["LambdaConfig"]["PostConfirmation"];
        trigger.as_str().map(str::to_owned)
    }

    /// Adds a function that every pool of the account may invoke.
    pub(super) fn add_function(&self, arn: &str) {
        self.add_closed_function(arn);
        let mut world = self.world();
        let function = world.functions.get_mut(lambda::unqualified(arn)).unwrap();
        function.allow_pools(lambda::qualifier(arn));
    }

    /// Adds a function that no pool may invoke. Its ARN's qualifier exists.
    pub(super) fn add_closed_function(&self, arn: &str) {
        let mut world = self.world();
        let function = world.functions.entry(lambda::unqualified(arn).to_owned());
        let function = function.or_default();
        function.add_qualifier(lambda::qualifier(arn));
    }

    pub(super) fn remove_function(&self, arn: &str) {
        self.world().functions.remove(lambda::unqualified(arn));
    }

    /// The statements of a function's policy, or of its alias's.
    pub(super) fn statements(&self, arn: &str) -> Vec<Value> {
        self.world().functions[lambda::unqualified(arn)].statements(lambda::qualifier(arn))
    }

    /// Makes the pool a part of a stack.
    pub(super) fn add_to_stack(&self, pool: &str, stack: &str, logical_id: &str) {
        self.world().stacks.add(pool, stack, logical_id);
    }

    /// Adds a stack with the output `FunctionArn`.
    pub(super) fn add_stack_with_function(&self, stack: &str, arn: &str) {
        self.world().stacks.add_function(stack, arn);
    }

    /// Denies an action to the caller.
    pub(super) fn deny(&self, action: &'static str) {
        self.world().denied.insert(action);
    }

    /// Throttles each request to Cognito with a number that `each` divides.
    pub(super) fn throttle_each(&self, each: usize) {
        self.world().throttled = Some(each);
    }

    /// Lets a pool's requests of this action fail, those with these numbers, from 0.
    pub(super) fn on(&self, pool: &str, action: &'static str, numbers: Range<usize>, fault: Fault) {
        let mut world = self.world();
        let pool = world.pools.get_mut(pool).unwrap();
        pool.faults.add(action, numbers, fault);
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.world().requests.clone()
    }

    /// The requests of an action for a pool.
    pub(super) fn of(&self, pool: &str, action: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|it| it.action == action && it.pool.as_deref() == Some(pool));
        requests
    }

    /// The number of requests that could have changed the pool.
    pub(super) fn writes(&self, pool: &str) -> usize {
        self.of(pool, "UpdateUserPool").len() + self.of(pool, "SetUserPoolMfaConfig").len()
    }

    /// The most requests of these actions in any second.
    pub(super) fn busiest_second(&self, actions: &[&str]) -> usize {
        let requests = self.requests();
        let times = requests.iter();
        let times = times.filter(|it| actions.contains(&it.action.as_str()));
        let times: Vec<_> = times.map(|it| it.at).collect();
        let within = |from: &Instant| {
            let second = *from..*from + Duration::from_secs(1);
            times.iter().filter(|&at| second.contains(at)).count()
        };
        times.iter().map(within).max().unwrap_or_default()
    }

    /// Holds the request with this number, from 0, before or after it is done.
    pub(super) fn hold(&self, number: usize, moment: Moment) {
        self.world().hold = Some(Hold {
            number,
            moment,
            reached: false,
            released: false,
        });
    }

    /// Waits for the held request, for a moment; returns whether it has come.
    pub(super) fn wait_for_held(&self, moment: Duration) -> bool {
        let is_out = |world: &mut World| !world.hold.as_ref().is_some_and(|hold| hold.reached);
        let world = self.world();
        let waited = self.shared.held.wait_timeout_while(world, moment, is_out);
        !waited.unwrap().1.timed_out()
    }

    /// Closes the held request's connection.
    pub(super) fn release(&self) {
        if let Some(hold) = &mut self.world().hold {
            hold.released = true;
        }
        self.shared.held.notify_all();
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.release();
        // Wakes the listener.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

impl Shared {
    fn serve(&self, client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        let mut client = std::io::BufReader::new(client);
        while let Some(http) = Http::read(&mut client)? {
            match self.answer(&http) {
                Answer::Send(answer) => answer.write(client.get_mut())?,
                Answer::Cut => return Ok(()),
            }
        }
        Ok(())
    }

    fn answer(&self, http: &Http) -> Answer {
        let call = Call::of(http);
        let mut world = self.world.lock().unwrap();
        let number = world.requests.len();
        world.requests.push(Request {
            action: call.action.clone(),
            pool: call.pool.clone(),
            body: call.body.clone(),
            at: Instant::now(),
        });
        let moment = world.hold.as_ref().filter(|hold| hold.number == number);
        let moment = moment.map(|hold| hold.moment);
        if moment == Some(Moment::Before) {
            self.keep(world);
            return Answer::Cut;
        }
        let answer = world.answer(&call, number);
        if moment == Some(Moment::After) {
            self.keep(world);
            return Answer::Cut;
        }
        answer
    }

    fn keep(&self, mut world: MutexGuard<'_, World>) {
        if let Some(hold) = &mut world.hold {
            hold.reached = true;
        }
        self.held.notify_all();
        let is_held = |world: &mut World| !world.hold.as_ref().is_some_and(|hold| hold.released);
        drop(self.held.wait_while(world, is_held));
    }
}

/// A request of one of the three services.
struct Call {
    service: Service,
    action: String,
    pool: Option<String>,
    body: Document,
    http: Http,
}

#[derive(Clone, Copy)]
enum Service {
    Cognito,
    Lambda,
    CloudFormation,
}

impl Call {
    fn of(http: &Http) -> Self {
        let text = |body: &Document, name: &str| body.get(name)?.as_str().map(str::to_owned);
        let http = http.clone();
        if let Some(target) = http.header("x-amz-target") {
            let action = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body: Document = serde_json::from_slice(&http.body).unwrap_or_default();
            let arn = text(&body, "ResourceArn");
            let of_arn = arn.and_then(|arn| Some(arn.split_once("userpool/")?.1.to_owned()));
            let pool = text(&body, "UserPoolId").or(of_arn);
            let service = Service::Cognito;
            return Self {
                service,
                action,
                pool,
                body,
                http,
            };
        }
        if http.path.starts_with("/2015-03-31/functions/") {
            let body = serde_json::from_slice(&http.body).unwrap_or_default();
            let action = lambda::action(&http).to_owned();
            let service = Service::Lambda;
            return Self {
                service,
                action,
                pool: None,
                body,
                http,
            };
        }
        let body = http::form(&String::from_utf8_lossy(&http.body));
        let body: Document = body.into_iter().map(|(k, v)| (k, v.into())).collect();
        let action = text(&body, "Action").unwrap_or_default();
        let pool = text(&body, "PhysicalResourceId");
        let service = Service::CloudFormation;
        Self {
            service,
            action,
            pool,
            body,
            http,
        }
    }
}

impl World {
    fn answer(&mut self, call: &Call, number: usize) -> Answer {
        let denied = self.denied.contains(call.action.as_str());
        match call.service {
            Service::Lambda if denied => lambda::denied(),
            Service::Lambda => lambda::answer(&mut self.functions, &call.http, &call.body),
            Service::CloudFormation if denied => stacks::denied(),
            Service::CloudFormation => self.stacks.answer(&call.action, &call.body),
            Service::Cognito if denied => {
                let message = format!("not authorized to perform: cognito-idp:{}", call.action);
                Refused::new("AccessDeniedException", message).answer()
            }
            Service::Cognito if self.throttled.is_some_and(|each| number % each == each - 1) => {
                fault::throttled().answer()
            }
            Service::Cognito => self.cognito(call),
        }
    }

    fn cognito(&mut self, call: &Call) -> Answer {
        if call.action == "ListUserPools" {
            return self.list(&call.body);
        }
        let pool = call.pool.as_deref().unwrap_or_default();
        let Some(pool) = self.pools.get_mut(pool) else {
            let message = format!("User pool {pool} does not exist.");
            return Refused::new("ResourceNotFoundException", message).answer();
        };
        let faults = pool.faults.next(&call.action);
        pool.answer(&call.action, &call.body, &faults)
    }

    /// A page's token is the last pool's id.
    fn list(&self, body: &Document) -> Answer {
        let token = body.get("NextToken").and_then(Value::as_str);
        let size = body.get("MaxResults").and_then(Value::as_u64);
        let size = usize::try_from(size.unwrap_or(60)).unwrap();
        let rest = self.pools.iter();
        let rest = rest.filter(|(id, _)| token.is_none_or(|token| id.as_str() > token));
        let page: Vec<_> = rest.take(size + 1).collect();
        let pools = page.iter().take(size).map(|(id, pool)| {
            let settings = pool.settings();
            let member = |name| settings.get(name).cloned().unwrap_or_default();
            json!({ "Id": id, "Name": member("Name"), "LambdaConfig": member("LambdaConfig") })
        });
        let mut answer = json!({ "UserPools": pools.collect::<Vec<_>>() });
        if page.len() > size {
            answer["NextToken"] = json!(page[size - 1].0);
        }
        Answer::json(&answer)
    }
}
