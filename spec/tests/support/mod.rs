//! Tables and settings that the tests share.
#![allow(dead_code)] // not every test uses all of it

use spec::{
    Format, KMeansSettings, OnError, PublicSource, Published, RoutingSettings, RunSettings, Sampling,
    TrainingSettings, VecSource, publish,
};

pub(crate) fn texts(cells: &[&str]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

pub(crate) fn source(header: &[&str], rows: &[&[&str]]) -> VecSource {
    VecSource::new("rows.csv", texts(header), rows.iter().map(|row| texts(row)).collect())
}

pub(crate) fn kmeans(paths: u32) -> KMeansSettings {
    KMeansSettings {
        paths,
        sample: 10_000,
        sampling: Sampling::Prefix,
        dimensions: 16,
        seed: 0,
        featurizer_seed: 0,
    }
}

pub(crate) fn settings(target: &str, routing: RoutingSettings) -> RunSettings {
    RunSettings {
        name: "test".into(),
        source: PublicSource {
            format: Format::Csv,
            locations: vec!["rows.csv".into()],
            mirrors: vec![],
            target: target.into(),
            target_type: None,
            exclude: vec![],
            on_error: OnError::Refuse,
        },
        holdout: 0.0,
        routing,
        training: TrainingSettings {
            layers: 2,
            bucket: 10,
            slice: 100,
            noise: 1.0,
            profile: None,
            lookahead: 5,
            seed: 0,
        },
    }
}

/// `rows` rows of two clouds of numbers, a job and a class; every tenth row repeats the features of the one before it.
pub(crate) fn people(rows: usize) -> VecSource {
    let jobs = ["Sales Manager", "clerk", "", "Clerk, night shift"];
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut records: Vec<Vec<String>> = Vec::new();
    for i in 0..rows {
        let class = if next() % 3 == 0 { "yes" } else { "no" };
        let mut record = match records.last() {
            Some(last) if i % 10 == 9 => last.clone(),
            _ => {
                let base = if next() % 2 == 0 { 20 } else { 70 };
                let age = base + next() % 9;
                let income = format!("{}.{}", base * 100 + next() % 500, next() % 10);
                texts(&[&age.to_string(), jobs[(next() % 4) as usize], &income, ""])
            }
        };
        record[3] = class.into();
        records.push(record);
    }
    VecSource::new("people.csv", texts(&["age", "job", "income", "class"]), records)
}

pub(crate) fn published(settings: &RunSettings, source: &VecSource) -> Published {
    publish(settings, source, &mut |_| {}).unwrap()
}
