//! A headless Chromium, which the tests control over a pipe (Chrome `DevTools` Protocol).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a test waits for the browser. Only a browser that hangs reaches it.
const TIMEOUT: Duration = Duration::from_mins(1);

/// How long after a page is loaded its late messages are awaited.
const SETTLING: Duration = Duration::from_millis(300);

/// The methods of events that report what a page does: requests, and messages of the console.
const REPORTS: [&str; 5] = [
    "Network.requestWillBeSent",
    "Log.entryAdded",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
    "Audits.issueAdded",
];

/// A browser with one page. It ends when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    reports: Vec<Value>,
    session: String,
    last_id: u64,
    _folder: TempDir,
}

impl Browser {
    /// Starts the browser that `TEST_BROWSER` names.
    ///
    /// # Panics
    /// There is none: a failure, never a skipped test.
    #[track_caller]
    pub fn start() -> Self {
        let program = std::env::var_os("TEST_BROWSER").filter(|program| !program.is_empty());
        let program = program.unwrap_or_else(|| {
            panic!("no browser: set TEST_BROWSER, or run `tests/run`, which gets one")
        });
        let folder = tempfile::tempdir().unwrap();
        // The browser reads commands from descriptor 3 and writes answers to descriptor 4.
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#]).arg(program);
        // It is started as any user, in containers, too: then there is no sandbox.
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.args(["--remote-debugging-pipe", "--no-first-run", "--hide-scrollbars"]);
        command.arg(format!("--user-data-dir={}", folder.path().display()));
        command.env("HOME", folder.path()).env("XDG_CACHE_HOME", folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for message in answers.split(0) {
                let Ok(message) = message else { return };
                let _ = sender.send(serde_json::from_slice(&message).unwrap());
            }
        });
        let (reports, session) = (Vec::new(), String::new());
        let mut browser =
            Self { child, commands, messages, reports, session, last_id: 0, _folder: folder };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", &attach);
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Network", "Log", "Runtime", "Page", "Audits"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Sets the width of the window, and the colour scheme: `light` or `dark`.
    pub fn set_window(&mut self, width: u32, scheme: &str) {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &scheme);
    }

    /// Loads a page; returns what it requested and what was printed on the console, but for the page
    /// itself.
    pub fn load(&mut self, url: &str) -> Vec<Value> {
        self.reports.clear();
        self.call("Page.navigate", &json!({"url": url}));
        self.wait(|message| message["method"] == "Page.loadEventFired");
        let deadline = Instant::now() + SETTLING;
        while let Ok(message) =
            self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.keep(message);
        }
        let is_page = |report: &Value| {
            let requested = report["params"]["request"]["url"].as_str();
            requested.is_some_and(|requested| requested == url || requested.starts_with("data:"))
        };
        self.reports.drain(..).filter(|report| !is_page(report)).collect()
    }

    /// Returns the value of an expression of JavaScript.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let answer = json!({"expression": expression, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", &answer);
        assert!(answer["exceptionDetails"].is_null(), "{answer}");
        answer["result"]["value"].clone()
    }

    /// Returns a picture of the page from its top, as PNG.
    pub fn picture(&mut self, width: u32, height: u32) -> Vec<u8> {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let options = json!({"format": "png", "clip": clip, "captureBeyondViewport": true});
        let picture = self.call("Page.captureScreenshot", &options);
        base64(picture["data"].as_str().unwrap())
    }

    /// Runs a command and returns its answer.
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.clone().into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        let answer = self.wait(|message| message["id"] == id);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn wait(&mut self, is_awaited: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(TIMEOUT).expect("the browser answers");
            if is_awaited(&message) {
                return message;
            }
            self.keep(message);
        }
    }

    fn keep(&mut self, message: Value) {
        if message["method"].as_str().is_some_and(|method| REPORTS.contains(&method)) {
            self.reports.push(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Decodes Base64.
fn base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}
