//! Rows of any CSV file to paths: what `predict` does on the way, and `route` writes down.

use anyhow::{Context, Result};
use snake::{Cell, FeatureKind, Model, Schema, Value};
use spec::{Router, Routing, router_of_model};

/// A router with the places of its columns in a file.
#[derive(Clone)]
pub(crate) struct PathRouter {
    router: Router,
    /// Per feature of the router's schema, where it is in the file. Empty where ordinals decide.
    places: Vec<(FeatureKind, usize)>,
}

impl PathRouter {
    /// The router that a model carries.
    ///
    /// # Errors
    /// When it carries none that can be used, or the file has not all of its columns.
    pub(crate) fn of_model(model: &Model, header: &[String]) -> Result<Self> {
        let object = model.head.opendipaco.as_ref().context("the model does not carry its router")?;
        let found = router_of_model(object)?;
        Self::new(found.router(), &found.routing, &found.schema, header)
    }

    /// A router over a file with this header.
    ///
    /// # Errors
    /// When the file has not all of the columns that decide.
    pub(crate) fn new(router: Router, routing: &Routing, schema: &Schema, header: &[String]) -> Result<Self> {
        let features = match routing {
            Routing::RoundRobin { .. } => &[][..],
            Routing::Kmeans(_) | Routing::Unknown => &schema.features,
        };
        let place = |name: &str| header.iter().position(|column| column == name);
        let places = features
            .iter()
            .map(|feature| {
                let place = place(&feature.name);
                place
                    .map(|place| (feature.kind, place))
                    .with_context(|| format!("there is no column {:?}", feature.name))
            })
            .collect::<Result<_>>()?;
        Ok(Self { router, places })
    }

    /// The columns of the file that decide.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.iter().map(|place| place.1)
    }

    /// The path of a row, whose cells are asked for by their column in the file. A number that does not parse counts as an
    /// empty cell.
    pub(crate) fn route<'c>(&mut self, ordinal: u64, cell: &dyn Fn(usize) -> &'c str) -> u32 {
        let cells: Vec<Cell<'_>> = self
            .places
            .iter()
            .map(|(kind, place)| match value(*kind, cell(*place)) {
                Value::Number(number) => Cell::Number(number),
                Value::Text(text) => Cell::Text(text),
                Value::Missing => Cell::Number(0.0),
            })
            .collect();
        self.router.route(ordinal, &cells)
    }
}

/// A cell as training would read it.
pub(crate) fn value(kind: FeatureKind, cell: &str) -> Value<'_> {
    match kind {
        FeatureKind::Number if cell.is_empty() => Value::Number(0.0),
        kind => Value::parse(kind, cell),
    }
}
