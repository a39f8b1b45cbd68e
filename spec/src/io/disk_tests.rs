//! The disk cache: what it keeps, what it finds damaged, what it survives.

use std::io::Write;

use proptest::prelude::*;
use snake::{Cell, Feature, FeatureKind, TableBuilder, TargetKind, TargetValue};

use super::*;

/// A file on a disk that has room for so many bytes.
pub(super) struct SmallDisk<'f> {
    pub(super) file: &'f mut NamedTempFile,
    pub(super) room: u64,
}

impl Write for SmallDisk<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= bytes.len() as u64;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema {
        target: "y".into(),
        target_kind: TargetKind::Number,
        classes: vec![],
        features: vec![Feature { name: "x".into(), kind: FeatureKind::Number }],
    })
}

/// A shard of 10 rows of 16 bytes and 9 gaps of one, which is a file of 302.
fn shard(value: f64) -> (Shard, Table) {
    shard_of(10, value)
}

fn shard_of(rows: u32, value: f64) -> (Shard, Table) {
    let mut builder = TableBuilder::new(schema());
    for row in 0..rows {
        builder.push(row.into(), &[Cell::Number(value)], TargetValue::Number(1.0)).unwrap();
    }
    let table = builder.finish();
    (Shard::of_table(&table), table)
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn age(cache: &DiskCache, shard: &Shard, seconds: u64) {
    let file = File::options().write(true).open(cache.path(shard)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn a_shard_comes_back_and_another_process_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a/b");
    let (shard, table) = shard(1.0);
    let mut cache = DiskCache::new(place.clone(), 1000);
    assert_eq!(cache.get(&shard, &schema()), None);
    cache.put(&[(&shard, &table)]).unwrap();
    assert_eq!(files(&place), [format!("{}.rows", shard.hash)]);
    let mut other = DiskCache::new(place, 1000);
    assert!(other.contains(&shard));
    assert_eq!(other.get(&shard, &schema()), Some(table));
    assert_eq!((cache.counters().misses, other.counters().hits), (1, 1));
}

#[test]
fn a_damaged_file_is_removed_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = DiskCache::new(folder.path().into(), 1000);
    let (shard, table) = shard(1.0);
    for damage in [0usize, 100, 301] {
        cache.put(&[(&shard, &table)]).unwrap();
        let mut bytes = fs::read(cache.path(&shard)).unwrap();
        bytes[damage] ^= 0x10;
        fs::write(cache.path(&shard), &bytes).unwrap();
        assert_eq!(cache.get(&shard, &schema()), None);
        assert!(!cache.contains(&shard));
    }
    cache.put(&[(&shard, &table)]).unwrap();
    File::options().write(true).open(cache.path(&shard)).unwrap().set_len(99).unwrap();
    assert_eq!(cache.get(&shard, &schema()), None);
    assert_eq!((cache.counters().damaged, cache.counters().misses), (4, 4));
}

#[test]
fn the_longest_unused_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = DiskCache::new(folder.path().into(), 700);
    let (a, b, c) = (shard(1.0), shard(2.0), shard(3.0));
    cache.put(&[(&a.0, &a.1)]).unwrap();
    cache.put(&[(&b.0, &b.1)]).unwrap();
    age(&cache, &a.0, 200);
    age(&cache, &b.0, 100);
    cache.get(&a.0, &schema()).unwrap();
    cache.put(&[(&c.0, &c.1)]).unwrap();
    assert!(cache.contains(&a.0) && !cache.contains(&b.0) && cache.contains(&c.0));
    assert_eq!(cache.counters().evictions, 1);
    let mut small = DiskCache::new(folder.path().into(), 301);
    small.put(&[(&b.0, &b.1)]).unwrap();
    assert!(!small.contains(&b.0));
    assert_eq!(small.counters().oversized, 1);
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let (shard, table) = shard(1.0);
    for room in [0, 1, 100, 301] {
        let mut cache = DiskCache::new(folder.path().into(), 1000);
        cache.room = Some(room);
        let error = cache.put(&[(&shard, &table)]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(files(folder.path()), Vec::<String>::new());
        assert_eq!(cache.counters().failures, 1);
        assert_eq!(cache.get(&shard, &schema()), None);
    }
}

#[test]
fn what_a_dead_process_left_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = DiskCache::new(folder.path().into(), 1000);
    let left = |name: &str, age| {
        let file = File::create(folder.path().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        file
    };
    let (_, _, at_work) =
        (left(".writing-dead", 120), left(".writing-young", 30), left(".writing-slow", 2 * 24 * 60 * 60));
    at_work.lock().unwrap();
    let (shard, table) = shard(1.0);
    cache.put(&[(&shard, &table)]).unwrap();
    let kept = format!("{}.rows", shard.hash);
    assert_eq!(files(folder.path()), [".writing-slow", ".writing-young", &kept]);
    drop(at_work);
    cache.put(&[(&shard, &table)]).unwrap();
    assert_eq!(files(folder.path()), [".writing-young", &kept]);
}

/// A kind of damage, and what does it to a file.
type Named<'a> = (&'static str, Box<dyn Fn(&Path) + 'a>);

/// Whatever may stand where a shard should be.
fn damages(other: &Shard) -> Vec<Named<'_>> {
    let folder = |path: &Path| path.parent().unwrap().to_owned();
    let mut damages: Vec<Named<'_>> = vec![
        ("empty", Box::new(|path| fs::write(path, "").unwrap())),
        ("another shard", {
            Box::new(move |path| {
                fs::copy(folder(path).join(format!("{}.rows", other.hash)), path).map(drop).unwrap();
            })
        }),
        ("longer", {
            Box::new(|path| {
                let mut file = File::options().append(true).open(path).unwrap();
                file.write_all(&[0; 24]).unwrap();
            })
        }),
        ("a folder", {
            Box::new(|path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
                fs::write(path.join("something"), "in it").unwrap();
            })
        }),
    ];
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        damages.push(("a link to nothing", {
            Box::new(|path| {
                fs::remove_file(path).unwrap();
                symlink("gone", path).unwrap();
            })
        }));
        damages.push(("a link to a good file", {
            Box::new(|path| {
                fs::rename(path, path.with_extension("moved")).unwrap();
                symlink(path.with_extension("moved"), path).unwrap();
            })
        }));
        damages.push(("a pipe", {
            Box::new(|path| {
                fs::remove_file(path).unwrap();
                let made = std::process::Command::new("mkfifo").arg(path).status();
                assert!(made.unwrap().success());
            })
        }));
    }
    damages
}

#[test]
fn whatever_stands_where_a_shard_should_be_is_removed_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = DiskCache::new(folder.path().into(), 1000);
    let ((shard, table), (other, other_table)) = (shard(1.0), shard(2.0));
    cache.put(&[(&other, &other_table)]).unwrap();
    for (count, (name, damage)) in (1..).zip(damages(&other)) {
        cache.put(&[(&shard, &table)]).unwrap();
        damage(&cache.path(&shard));
        assert_eq!(cache.get(&shard, &schema()), None, "{name}");
        assert!(fs::symlink_metadata(cache.path(&shard)).is_err(), "{name} is still there");
        assert_eq!((cache.counters().damaged, cache.counters().misses), (count, count), "{name}");
        // Found when it is written, if it was never asked for.
        cache.put(&[(&shard, &table)]).unwrap();
        damage(&cache.path(&shard));
        cache.put(&[(&shard, &table)]).unwrap();
        assert_eq!(cache.get(&shard, &schema()).as_ref(), Some(&table), "{name}");
    }
    assert_eq!(cache.get(&other, &schema()), Some(other_table), "what a link leads to is not touched");
    assert_eq!((cache.counters().evictions, cache.counters().failures), (0, 0));
}

#[test]
fn two_that_share_a_folder_find_only_whole_shards_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let shards: Vec<(Shard, Table)> = (0..6).map(|i| shard(f64::from(i))).collect();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (shards, folder) = (&shards, folder.path());
            scope.spawn(move || {
                // Room for three of six: both throw out all the time what the other one wants.
                let mut cache = DiskCache::new(folder.into(), 3 * 302);
                let mut random = crate::random::Random::new("two that share a folder", thread);
                for _ in 0..300 {
                    let (shard, table) = &shards[usize::try_from(random.below(6)).unwrap()];
                    match cache.get(shard, &schema()) {
                        Some(found) => assert_eq!(found, *table),
                        None => cache.put(&[(shard, table)]).unwrap(),
                    }
                }
                let counters = cache.counters();
                assert_eq!((counters.damaged, counters.failures), (0, 0), "{counters:?}");
                assert!(counters.hits > 0 && counters.misses > 0, "{counters:?}");
            });
        }
    });
    let mut cache = DiskCache::new(folder.path().into(), 3 * 302);
    cache.put(&[(&shards[0].0, &shards[0].1)]).unwrap();
    let left = files(folder.path());
    assert!(left.len() <= 3 && left.iter().all(|name| name.ends_with(".rows")), "{left:?}");
}

#[derive(Debug, Clone)]
enum Step {
    Get(usize),
    Put(Vec<usize>),
    Damage(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0usize..6).prop_map(Step::Get),
        4 => proptest::sample::subsequence(vec![0usize, 1, 2, 3, 4, 5], 1..4).prop_shuffle().prop_map(Step::Put),
        1 => (0usize..6).prop_map(Step::Damage),
        1 => Just(Step::Restart),
    ]
}

/// The same in a plain list, most recently used last, with what is damaged.
#[derive(Default)]
struct Model {
    held: Vec<(usize, bool)>,
    counters: DiskCounters,
}

fn size_of(shard: usize) -> u64 {
    133 + 16 * (shard as u64 + 1) + shard as u64
}

impl Model {
    fn get(&mut self, shard: usize) -> bool {
        let at = self.held.iter().position(|(held, _)| *held == shard);
        let found = at.map(|at| self.held.remove(at));
        self.counters.damaged += u64::from(found.is_some_and(|(_, whole)| !whole));
        let whole = found.is_some_and(|(_, whole)| whole);
        if whole {
            self.held.push((shard, true));
            self.counters.hits += 1;
        } else {
            self.counters.misses += 1;
        }
        whole
    }

    fn put(&mut self, shards: &[usize], limit: u64) {
        let mut sum = 0;
        let (fit, out): (Vec<usize>, Vec<usize>) = shards.iter().partition(|shard| {
            let fits = sum + size_of(**shard) <= limit;
            sum += if fits { size_of(**shard) } else { 0 };
            fits
        });
        self.counters.oversized += out.len() as u64;
        self.held.retain(|(held, _)| !fit.contains(held));
        while self.held.iter().map(|(held, _)| size_of(*held)).sum::<u64>() + sum > limit && !fit.is_empty() {
            self.held.remove(0);
            self.counters.evictions += 1;
        }
        self.held.extend(fit.into_iter().rev().map(|shard| (shard, true)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn it_does_what_a_list_does(
        limit in 130u64..900,
        steps in proptest::collection::vec(step(), 0..30),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let shards: Vec<(Shard, Table)> = (0..6).map(|i| shard_of(i + 1, f64::from(i))).collect();
        let mut cache = DiskCache::new(folder.path().into(), limit);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Get(i) => {
                    let found = cache.get(&shards[i].0, &schema());
                    let expected = model.get(i).then(|| shards[i].1.clone());
                    prop_assert_eq!(found, expected);
                }
                Step::Put(several) => {
                    let put: Vec<_> = several.iter().map(|i| (&shards[*i].0, &shards[*i].1)).collect();
                    cache.put(&put).unwrap();
                    model.put(&several, limit);
                }
                Step::Damage(i) => {
                    if let Some(held) = model.held.iter_mut().find(|(held, whole)| *held == i && *whole) {
                        held.1 = false;
                        let path = cache.path(&shards[i].0);
                        let used = fs::metadata(&path).unwrap().modified().unwrap();
                        let mut bytes = fs::read(&path).unwrap();
                        *bytes.last_mut().unwrap() ^= 0xaa;
                        fs::write(&path, bytes).unwrap();
                        File::options().write(true).open(&path).unwrap().set_modified(used).unwrap();
                    }
                }
                Step::Restart => {
                    // Counters are the process's; the order is the disk's.
                    cache = DiskCache::new(folder.path().into(), limit);
                    model.counters = DiskCounters::default();
                }
            }
            let mut held: Vec<String> =
                model.held.iter().map(|(i, _)| format!("{}.rows", shards[*i].0.hash)).collect();
            held.sort();
            prop_assert_eq!(files(folder.path()), held);
            prop_assert_eq!(cache.counters(), model.counters);
            prop_assert!(model.held.iter().map(|(i, _)| size_of(*i)).sum::<u64>() <= limit);
        }
    }
}
