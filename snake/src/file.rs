//! The model file: `model.json` as an interchange format that other software reads too.

mod pieces;
mod read;
mod write;

pub use write::ModelWriter;
