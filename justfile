# What CI runs, one recipe a step, so that a failing step can be repeated alone.

# everything CI asks for
ci: fmt-check lint doc deny test bench-once

fmt:
    cargo fmt --all

fmt-check:
    cargo fmt --all -- --check

lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

# licences, sources and banned crates; says so where the tool is not installed
deny:
    if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; else echo "cargo-deny is not installed: skipped (cargo install cargo-deny --locked)"; fi

# the README's test command
test:
    cargo test --workspace

# a first look: the whole network on this machine
run:
    cargo run --release -- run manifests/breast-cancer.toml

# what takes longer than anybody waits for before a change
long: long-store long-chaos

# a coordinator's store, longer: 200 kills, every loss at every failing operation
long-store:
    OPENDIPACO_LONG=1 cargo test -p store -- --nocapture

# real processes, longer: a minute of faults at random, the coordinator killed at 50 points, ..
long-chaos:
    OPENDIPACO_LONG=1 cargo test -p opendipaco --test chaos -- --nocapture

# 10,000 volunteers and 20,000 units, simulated: some twenty minutes, 12 GB; large pages where the system has them
large-sim:
    GLIBC_TUNABLES=glibc.malloc.hugetlb=1 cargo run -p sim --release -- calm --peers 10000 --units 20000 --seed 1 --threads 2

bench:
    cargo bench --workspace

# every small benchmark once, so that none rots
bench-once:
    cargo bench -p snake -p spec -p store --features spec/io -- --test

# docs/benchmarks.md: other learners and ours on the same rows; needs Python with bench/requirements.txt, and the data
compare *words:
    cargo build --release
    python3 bench/compare.py {{words}}

# a volunteer's first lease, its leaving, and a hundred units against `train`; real processes on loopback
volunteer-times *words:
    cargo build --release
    python3 bench/volunteer.py {{words}}

# pinned routers and layers, the same bits: in release, for this very processor, and without any optimisation
goldens:
    cargo test --release {{goldens}}
    RUSTFLAGS="-C target-cpu=native" cargo test --release --target-dir target/native {{goldens}}
    cargo test --target-dir target/plain {{plain}} {{goldens}}

goldens := "-p snake -p spec --features spec/io --test train_golden --test goldens"
zero := "--config profile.dev.package."
plain := zero + "snake.opt-level=0 " + zero + "spec.opt-level=0 " + zero + "blake3.opt-level=0 " + zero + "chacha20.opt-level=0 " + zero + "libm.opt-level=0"

# each fuzz target in turn, so many seconds each; needs nightly and cargo-fuzz (fuzz/README.md)
fuzz seconds="60":
    for target in {{fuzzed}}; do sh fuzz/run.sh $target {{seconds}} || exit 1; done

fuzzed := "manifest messages report spec run_file csv_rows json_rows parquet_rows"
