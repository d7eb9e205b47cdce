//! `poolhook serve`: Lambda's Invoke API.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{OTHER_POOL, POOL, Serve, TestFolder, event, event_names, http};

type Response = ureq::http::Response<ureq::Body>;

fn invoke(serve: &Serve, headers: &[(&str, &str)], payload: &[u8]) -> Response {
    let request = headers.iter().fold(
        http().post(serve.invocations()),
        |request, (name, value)| request.header(*name, *value),
    );
    request.send(payload).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

fn body(mut response: Response) -> Vec<u8> {
    response.body_mut().read_to_vec().unwrap()
}

#[test]
fn every_event_comes_back_byte_for_byte() {
    let folder = TestFolder::with_sample_pools();
    let serve = folder.serve(&[], &[]);
    for name in event_names() {
        let raw = event(&name);
        let response = invoke(&serve, &[], &raw);
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(header(&response, "x-amz-function-error"), "", "{name}");
        assert_eq!(body(response), raw, "{name}");
    }
    assert_eq!(folder.items("User").len(), 3);
    assert_eq!(folder.items("Customer").len(), 1);
    assert_eq!(
        serve.log().matches("\"requestId\"").count(),
        event_names().len()
    );
    assert!(!serve.log().contains("hanako"));
}

#[test]
fn a_failure_is_a_function_error_and_the_server_survives() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let serve = folder.serve(&[], &[]);
    let other = event("other-pool");
    for (payload, name) in [
        (&other[..], "Config.UnknownPool"),
        (b"{}", "Event.MissingField"),
    ] {
        let response = invoke(&serve, &[], payload);
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-amz-function-error"), "Unhandled");
        let error: Value = serde_json::from_slice(&body(response)).unwrap();
        assert_eq!(error["errorType"], name);
        assert!(error["errorMessage"].is_string());
    }
    // The API's own errors: the function is not invoked.
    let huge = vec![b' '; 6 * 1024 * 1024 + 1];
    for (payload, status, name) in [
        (&b"not json"[..], 400, "InvalidRequestContentException"),
        (&huge[..], 413, "RequestTooLargeException"),
    ] {
        let response = invoke(&serve, &[], payload);
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "x-amzn-errortype"), name);
    }
    let almost = format!("\"{}\"", "x".repeat(6 * 1024 * 1024 - 2));
    let error: Value =
        serde_json::from_slice(&body(invoke(&serve, &[], almost.as_bytes()))).unwrap();
    assert_eq!(error["errorType"], "Event.TooLarge");
    let other_function = serve.invocations().replace("/poolhook/", "/another/");
    let response = http().post(other_function).send("{}").unwrap();
    assert_eq!(response.status(), 404);

    assert!(folder.items("User").is_empty());
    let raw = event("confirm-sign-up");
    assert_eq!(body(invoke(&serve, &[], &raw)), raw);
    assert!(!OTHER_POOL.is_empty() && folder.items("User").len() == 1);
}

#[test]
fn invocation_types_names_and_log_tails_are_lambdas() {
    let folder = TestFolder::with_sample_pools();
    let mut serve = folder.serve(&[], &[]);
    let raw = event("confirm-sign-up");
    let dry = invoke(&serve, &[("X-Amz-Invocation-Type", "DryRun")], &raw);
    assert_eq!(dry.status(), 204);
    assert!(folder.items("User").is_empty());
    let wrong = invoke(&serve, &[("X-Amz-Invocation-Type", "Later")], &raw);
    assert_eq!(wrong.status(), 400);

    let tail = invoke(&serve, &[("X-Amz-Log-Type", "Tail")], &raw);
    assert!(header(&tail, "x-amz-log-result").len() > 100);
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:poolhook:live";
    let by_arn = serve
        .invocations()
        .replace("/poolhook/", &format!("/{}/", arn.replace(':', "%3A")));
    assert_eq!(http().post(by_arn).send(&raw[..]).unwrap().status(), 200);

    // The answer does not wait for the event, but the server's shutdown does.
    let event = invoke(
        &serve,
        &[("X-Amz-Invocation-Type", "Event")],
        &event("other-pool"),
    );
    assert_eq!(event.status(), 202);
    let pid = serve.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let deadline = Instant::now() + Duration::from_secs(10);
    while serve.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "serve did not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(serve.child.wait().unwrap().success());
    assert_eq!(folder.items("Customer").len(), 1);
}
