//! A peer that shows whatever it was given: manifests that no honest program would sign or serve.
//!
//! It stands in the test's own process, on the network's own room and messages, so that the volunteer under test can't
//! tell it from an honest peer until it looks at the manifest.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]

use ed25519_dalek::{Signer, SigningKey};
use net::{Net, NetConfig, NetEvent};
use protocol::{Answer, DOMAIN, Hello, HelloRun, Identity, PeerKey, RecordBytes, Request, RunId};
use serde::Serialize;

/// A manifest as it travels, signed although nobody may take it.
pub struct Forged {
    pub run: RunId,
    pub name: String,
    pub operator: PeerKey,
    pub bytes: Vec<u8>,
}

/// The envelope as the network's format has it.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "g", with = "serde_bytes")]
    signature: &'a [u8],
    #[serde(rename = "k")]
    kind: &'a str,
    #[serde(rename = "p", with = "serde_bytes")]
    payload: &'a [u8],
    #[serde(rename = "r", with = "serde_bytes")]
    run: &'a [u8],
    #[serde(rename = "s", with = "serde_bytes")]
    signer: &'a [u8],
    #[serde(rename = "v")]
    version: u32,
}

/// Signs a manifest's payload with a valid signature, whatever is in it.
pub fn sign_anyway(operator: &Identity, name: &str, payload: &[u8]) -> Forged {
    let run = *blake3::hash(payload).as_bytes();
    let mut message = Vec::new();
    for part in [DOMAIN.as_bytes(), b"manifest", &run, payload] {
        message.extend_from_slice(&(part.len() as u64).to_le_bytes());
        message.extend_from_slice(part);
    }
    let signer = operator.key();
    let signature = SigningKey::from_bytes(operator.seed()).sign(&message).to_bytes();
    let envelope = Envelope {
        signature: &signature,
        kind: "manifest",
        payload,
        run: &run,
        signer: signer.as_bytes(),
        version: 1,
    };
    let bytes = serde_cbor::to_vec(&envelope).unwrap();
    Forged { run: RunId::from_bytes(run), name: name.to_owned(), operator: signer, bytes }
}

/// The peer. It is gone when it is dropped.
pub struct Evil {
    runtime: Option<tokio::runtime::Runtime>,
    pub address: String,
}

impl Evil {
    /// Starts it: it tells everybody of these runs and hands out their bytes.
    pub fn show(runs: Vec<Forged>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (net, mut events) = runtime.block_on(async {
            let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
            Net::start(NetConfig::new([66; 32], listen)).await.unwrap()
        });
        let address = net.listening().first().unwrap().to_string();
        runtime.spawn(async move {
            // The handle keeps the network up for as long as this task lives.
            let _net = net;
            while let Some(event) = events.recv().await {
                if let NetEvent::Request { bytes, reply, .. } = event {
                    let _ = reply.send(answer(&runs, &bytes).encode().unwrap()).await;
                }
            }
        });
        Self { runtime: Some(runtime), address }
    }
}

fn answer(runs: &[Forged], request: &[u8]) -> Answer {
    match Request::decode(request).unwrap() {
        Request::Hello(_) => {
            let runs = runs.iter().map(|forged| HelloRun {
                run: forged.run,
                name: forged.name.clone(),
                operator: forged.operator,
                delegation: None,
                peers: Vec::new(),
            });
            Answer::Hello(Hello { runs: runs.collect() })
        }
        Request::Manifest(run) => {
            let forged = runs.iter().find(|forged| forged.run == run);
            forged.map_or(Answer::Absent, |forged| Answer::Manifest(RecordBytes(forged.bytes.clone())))
        }
        Request::Offer(_) | Request::Exchange(_) => Answer::Absent,
    }
}

impl Drop for Evil {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
