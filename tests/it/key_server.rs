//! A server in this process that answers `ListPublicKeys` of CloudTrail, which no other server has.
//!
//! It speaks the protocol AWS JSON 1.1 over HTTP on 127.0.0.1, on threads of its own. It does not check
//! signatures, but the region of the signature decides which keys are listed.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The operation that lists keys.
const LIST: &str = "ListPublicKeys";

/// Keys on one page.
const PAGE_KEYS: usize = 2;

/// For [`KeyServer::fail_next`]: every call from now on.
pub const ALWAYS: usize = usize::MAX;

/// How the server answers instead of listing keys.
#[derive(Debug, Clone, Copy)]
pub enum KeyFault {
    /// A refusal with this status and code.
    Refuse(u16, &'static str),
    /// Another page is announced, whatever was listed.
    Endless,
    /// The answer is not JSON.
    Garbage,
    /// The connection is closed without an answer.
    Drop,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct KeyCall {
    /// `ListPublicKeys`, or one that a test has an answer for.
    pub operation: String,
    /// The region that it was signed for.
    pub region: String,
    pub body: Value,
}

/// A key to list.
#[derive(Debug, Clone)]
pub struct ListedKey {
    pub der: Vec<u8>,
    pub fingerprint: String,
    /// Seconds since 1970.
    pub validity: [i64; 2],
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<String, Vec<ListedKey>>,
    calls: Vec<KeyCall>,
    faults: VecDeque<(KeyFault, usize)>,
    others: BTreeMap<&'static str, String>,
}

/// The server. Its threads end with their connections and with the process.
#[derive(Debug)]
pub struct KeyServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl KeyServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || while answer(&connection, &state).is_some() {});
            }
        });
        Self { address, state }
    }

    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a key to those of a region.
    pub fn add(&self, region: &str, key: ListedKey) {
        self.state().keys.entry(region.to_owned()).or_default().push(key);
    }

    /// Answers calls of another operation, of CloudTrail or of another service, with this.
    pub fn answer_to(&self, operation: &'static str, answer: &str) {
        self.state().others.insert(operation, answer.to_owned());
    }

    /// Answers the next calls with a fault. Orders are served first come, first served.
    pub fn fail_next(&self, fault: KeyFault, times: usize) {
        self.state().faults.push_back((fault, times));
    }

    /// Returns every call that came in.
    pub fn calls(&self) -> Vec<KeyCall> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Answers the next request of a connection. Returns `None` at its end.
fn answer(mut connection: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let call = read(connection)?;
    let (status, body) = {
        let mut state = state.lock().unwrap();
        state.calls.push(call.clone());
        match state.next_fault() {
            None if call.operation != LIST => (200, state.others[&*call.operation].clone()),
            None => (200, state.list(&call, false)),
            Some(KeyFault::Endless) => (200, state.list(&call, true)),
            Some(KeyFault::Garbage) => (200, "{\"PublicKeyList\": [".to_owned()),
            Some(KeyFault::Refuse(status, code)) => {
                let error =
                    json!({ "__type": format!("com.amazon#{code}"), "message": "as ordered." });
                (status, error.to_string())
            }
            Some(KeyFault::Drop) => return None,
        }
    };
    let head = format!(
        "HTTP/1.1 {status} Any\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amzn-requestid: TESTREQUEST\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(format!("{head}{body}").as_bytes()).ok()
}

/// Reads a request.
fn read(connection: &TcpStream) -> Option<KeyCall> {
    let mut reader = BufReader::new(connection);
    let (mut headers, mut line) = (BTreeMap::new(), String::new());
    while reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)? > 2 {
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        line.clear();
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    let operation = headers["x-amz-target"].rsplit('.').next().unwrap().to_owned();
    let scope = headers["authorization"].split("Credential=").nth(1).unwrap();
    let region = scope.split('/').nth(2).unwrap().to_owned();
    Some(KeyCall { operation, region, body: serde_json::from_slice(&body).unwrap() })
}

impl State {
    fn next_fault(&mut self) -> Option<KeyFault> {
        self.faults.pop_front_if(|(_, times)| *times == 0);
        let (fault, times) = self.faults.front_mut()?;
        if *times != ALWAYS {
            *times -= 1;
        }
        Some(*fault)
    }

    fn list(&self, call: &KeyCall, is_endless: bool) -> String {
        let keys = self.keys.get(&call.region).map_or(&[][..], Vec::as_slice);
        let start: usize = call.body["NextToken"].as_str().map_or(0, |it| it.parse().unwrap());
        let page = keys.iter().skip(start).take(PAGE_KEYS).map(|key| {
            json!({
                "Value": STANDARD.encode(&key.der),
                "Fingerprint": key.fingerprint,
                "ValidityStartTime": key.validity[0],
                "ValidityEndTime": key.validity[1],
            })
        });
        let mut answer = json!({ "PublicKeyList": page.collect::<Vec<_>>() });
        let next = start + PAGE_KEYS;
        if next < keys.len() || is_endless {
            answer["NextToken"] = next.to_string().into();
        }
        answer.to_string()
    }
}
