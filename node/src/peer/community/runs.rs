//! Runs that others show: hello, manifests, offers.

use std::sync::Arc;

use protocol::{
    Answer, Delegation, GossipRecord, Hello, HelloRun, Manifest, Offer, PeerKey, RecordBytes, Request, RunId,
    Signed,
};

use super::{Community, Heard, Question, RUNS_MAX, Wants};

impl Community {
    /// What another peer knows: its runs, their delegations, where their members are.
    pub(super) fn on_hello(&mut self, from: PeerKey, hello: Hello) -> Vec<Heard> {
        let mut heard = Vec::new();
        for shown in hello.runs {
            let HelloRun { run, delegation, peers, .. } = shown;
            if !self.runs.contains_key(&run) && (self.wants == Wants::OwnRuns || !self.has_room()) {
                continue;
            }
            let connected = self.connected.contains(&from);
            let known = self.runs.entry(run).or_default();
            let news = delegation.is_some_and(|bytes| known.take_delegation(bytes.as_slice()));
            heard.extend(
                known.delegation.clone().filter(|_| news).map(|delegation| delegated(run, delegation)),
            );
            let has_manifest = known.manifest.is_some();
            if connected && known.members.insert(from) && has_manifest {
                heard.push(Heard::Member { run, peer: from });
            }
            // One question at a time: a peer that says hello over and over gets no more.
            let wanted = !has_manifest && known.asked.insert(from);
            self.learn_addresses(run, peers.iter().map(RecordBytes::as_slice));
            if wanted {
                self.ask(from, Question::Manifest(run), &Request::Manifest(run));
            }
        }
        self.next_circle = 0;
        heard
    }

    /// Whether one more run can be remembered; runs of which there is only talk make room.
    fn has_room(&mut self) -> bool {
        if self.runs.len() >= RUNS_MAX {
            self.runs.retain(|_, known| known.manifest.is_some());
        }
        self.runs.len() < RUNS_MAX
    }

    pub(super) fn on_manifest(
        &mut self,
        from: PeerKey,
        run: Option<RunId>,
        bytes: &[u8],
    ) -> (Result<(), String>, Vec<Heard>) {
        let opened =
            Manifest::open(bytes).map_err(|error| error.to_string()).and_then(|manifest| match run {
                Some(run) if run != manifest.run() => {
                    Err(format!("asked for run {} and got {}", run.short(), manifest.run().short()))
                }
                _ => Ok(Arc::new(manifest)),
            });
        match opened {
            Ok(manifest) => {
                let run = manifest.run();
                self.add_run(manifest, None);
                let members = self.runs.get(&run).map(|known| known.members.clone()).unwrap_or_default();
                let members = members.into_iter().map(|peer| Heard::Member { run, peer });
                (Ok(()), std::iter::once(Heard::Manifest(run)).chain(members).collect())
            }
            Err(reason) => (Err(reason.clone()), vec![Heard::BadManifest { from, reason }]),
        }
    }

    pub(super) fn on_offer(&mut self, from: PeerKey, offer: &Offer) -> (Answer, Vec<Heard>) {
        if !self.has_room() {
            return (Answer::No("this peer knows as many runs as it can remember".into()), Vec::new());
        }
        match self.on_manifest(from, None, offer.manifest.as_slice()) {
            (Ok(()), mut heard) => {
                let run =
                    heard.iter().find_map(|h| if let Heard::Manifest(run) = h { Some(*run) } else { None });
                if let Some((run, known)) = run.and_then(|run| Some((run, self.runs.get_mut(&run)?)))
                    && known.take_delegation(offer.delegation.as_slice())
                {
                    heard.extend(known.delegation.clone().map(|delegation| delegated(run, delegation)));
                }
                (Answer::Accepted, heard)
            }
            // Nobody here asked for it: only who offered it has to know.
            (Err(reason), _) => (Answer::No(reason.chars().take(120).collect()), Vec::new()),
        }
    }

    pub(super) fn hello(&self) -> Hello {
        let own = self.own_record.as_ref().map(|record| RecordBytes::from(record.bytes()));
        // Those it takes part in come first: others must not crowd them out.
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by_key(|(_, known)| !known.takes_part);
        let mut hello = Hello {
            runs: runs.into_iter().filter_map(|(run, known)| known.hello(*run, own.as_ref())).collect(),
        };
        hello.fit();
        hello
    }
}

/// A newer delegation that came beside a run, not by gossip.
fn delegated(run: RunId, delegation: Signed<Delegation>) -> Heard {
    Heard::Record { run, record: GossipRecord::Delegation(delegation), ticket: None }
}

/// Opens a delegation that lies beside a manifest.
pub(crate) fn open_delegation(bytes: &[u8], manifest: &Manifest) -> Result<Signed<Delegation>, String> {
    let delegation = Signed::<Delegation>::open(bytes, Some(manifest.run())).map_err(|e| e.to_string())?;
    delegation.signed_by(manifest.operator()).map_err(|e| e.to_string())?;
    Ok(delegation)
}
