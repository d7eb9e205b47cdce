//! HTTP/1.1, as far as AWS's SDKs use it for small requests. A connection that is cut in the
//! middle of a request, which tests need, is beyond an HTTP library's server.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use serde_json::Value;

#[derive(Clone, Debug, Default)]
pub(crate) struct Http {
    pub(crate) method: String,
    /// Percent-decoded, without the query.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// Reads a request; `None` at the connection's end.
    pub(crate) fn read(client: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if client.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut http = Self {
            method,
            path: decoded(path),
            query: form(query),
            ..Self::default()
        };
        loop {
            let mut line = String::new();
            client.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let name = name.to_ascii_lowercase();
            http.headers.insert(name, value.trim().to_owned());
        }
        let length = http.header("content-length").unwrap_or("0");
        http.body = vec![0; length.parse().unwrap_or_default()];
        client.read_exact(&mut http.body)?;
        Ok(Some(http))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What a client gets.
pub(crate) enum Answer {
    Send(Response),
    /// The connection is closed without an answer.
    Cut,
}

pub(crate) struct Response {
    status: u16,
    /// For the header `x-amzn-errortype`; empty for a success.
    error: &'static str,
    body: String,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        Self::of(200, "", body.to_string())
    }

    pub(crate) fn error(status: u16, error: &'static str, body: &Value) -> Self {
        Self::of(status, error, body.to_string())
    }

    pub(crate) fn of(status: u16, error: &'static str, body: String) -> Self {
        Self::Send(Response {
            status,
            error,
            body,
        })
    }
}

impl Response {
    pub(crate) fn write(&self, client: &mut impl Write) -> io::Result<()> {
        let kind = match self.body.as_bytes().first() {
            Some(b'<') => "text/xml",
            _ => "application/x-amz-json-1.1",
        };
        let (status, length) = (self.status, self.body.len());
        let mut head =
            format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n");
        if !self.error.is_empty() {
            head = format!("{head}x-amzn-errortype: {}\r\n", self.error);
        }
        client.write_all(format!("{head}\r\n{}", self.body).as_bytes())
    }
}

/// The fields of a form or a query.
pub(crate) fn form(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let plus = |text: &str| decoded(&text.replace('+', " "));
    pairs
        .map(|(name, value)| (plus(name), plus(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}
