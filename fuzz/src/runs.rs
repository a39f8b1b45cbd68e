//! A run file.

use spec::RunFile;

/// A run file as text.
pub fn run_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match RunFile::parse(text) {
        Ok(run) => {
            assert_eq!(run.locations.len(), run.settings.source.locations.len());
            assert!((0.0..1.0).contains(&run.settings.holdout));
            for (path, public) in run.locations.iter().zip(&run.settings.source.locations) {
                // Of a local path nothing but its name is published.
                assert!(path.ends_with(public.as_str()), "{path:?} is published as {public:?}");
                assert!(public.contains("://") || !public.contains('/'), "{public:?} is published");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
