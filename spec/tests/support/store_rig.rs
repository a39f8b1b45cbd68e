//! A shard store over a source that counts its passes.
#![allow(dead_code)] // not every test uses all of it

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use snake::Cancel;
use spec::{
    DataSpec, MemoryLimits, PublicSource, RecordReader, RecordSource, Routing, RoutingCheck, RoutingSettings,
    ShardCache, ShardError, ShardStore, SourceError, StoreSettings, VecSource,
};

use crate::support;

/// A source that counts its passes and can be made to fail.
pub(crate) struct Watched {
    pub(crate) inner: VecSource,
    pub(crate) passes: AtomicUsize,
    pub(crate) broken: Mutex<bool>,
}

impl RecordSource for Watched {
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError> {
        self.passes.fetch_add(1, Ordering::Relaxed);
        if *self.broken.lock().unwrap() {
            return Err(SourceError::Unreadable {
                location: "rows".into(),
                reason: "the cable is out".into(),
            });
        }
        self.inner.open()
    }

    fn location(&self, part: usize) -> String {
        self.inner.location(part)
    }
}

/// A published run of three paths over 200 people, and the folder of a store.
pub(crate) struct Rig {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) spec: DataSpec,
    pub(crate) description: PublicSource,
    pub(crate) source: Arc<Watched>,
    pub(crate) warnings: Arc<Mutex<Vec<String>>>,
    pub(crate) shards: usize,
    pub(crate) memory: usize,
    pub(crate) disk: u64,
    pub(crate) check: RoutingCheck,
    pub(crate) data_dir: Option<PathBuf>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with_paths(3)
    }

    pub(crate) fn with_paths(paths: u32) -> Self {
        let source = support::people(200);
        let settings = support::settings("class", RoutingSettings::KMeans(support::kmeans(paths)));
        let spec = support::published(&settings, &source).spec;
        let folder = tempfile::tempdir().unwrap();
        let data_dir = Some(folder.path().join("data"));
        Self {
            folder,
            spec,
            description: settings.source,
            source: Arc::new(Watched {
                inner: source,
                passes: AtomicUsize::new(0),
                broken: Mutex::new(false),
            }),
            warnings: Arc::default(),
            shards: 2,
            memory: 1 << 30,
            disk: 1 << 30,
            check: RoutingCheck::Required,
            data_dir,
        }
    }

    pub(crate) fn start(&self) -> ShardStore {
        let warnings = Arc::clone(&self.warnings);
        ShardStore::new(StoreSettings {
            spec: Arc::new(self.spec.clone()),
            description: self.description.clone(),
            source: Arc::clone(&self.source) as Arc<dyn RecordSource>,
            memory: Arc::new(Mutex::new(ShardCache::new(MemoryLimits {
                shards: self.shards,
                bytes: self.memory,
            }))),
            data_dir: self.data_dir.clone(),
            disk_bytes: self.disk,
            check: self.check,
            run_key: "the run".into(),
            warn: Box::new(move |text| warnings.lock().unwrap().push(text.into())),
        })
        .unwrap()
    }

    /// Makes the recorded fit another one than the source gives.
    pub(crate) fn forge_routing(&mut self) {
        let Routing::Kmeans(fit) = &mut self.spec.routing else { panic!("{:?}", self.spec.routing) };
        fit.centroids[0][0] += 1;
    }

    pub(crate) fn passes(&self) -> usize {
        self.source.passes.load(Ordering::Relaxed)
    }

    pub(crate) fn expect_refused(&self, store: &ShardStore, path: u32, wanted: &str) {
        match store.shard(path, &Cancel::new()) {
            Err(ShardError::Refused { reason }) => {
                assert!(reason.contains(wanted) && reason.contains("not tried again"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
}
