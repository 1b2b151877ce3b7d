//! Which features a query needs.

use truststream_kernel::FeatureSet;

use crate::database::{DatabaseFeature, Filter, Format, Item, Media, Operator, Query};

/// The features that a write or a call needs. Where it can't be planned it must not be done instead.
pub(super) fn needs_in(query: &Query, format: &Format) -> FeatureSet {
    match format.media {
        Media::Plan(_) => query_needs(query).with(DatabaseFeature::ExplainWrites),
        _ => query_needs(query),
    }
}

/// The features that a query needs.
pub(super) fn query_needs(query: &Query) -> FeatureSet {
    let mut needs = query.filter.as_ref().map_or(FeatureSet::EMPTY, filter_needs);
    for item in &query.items {
        needs = needs
            | match item {
                Item::All | Item::Column { aggregate: None, .. } => FeatureSet::EMPTY,
                Item::Count { .. } | Item::Column { .. } => FeatureSet::of(&[DatabaseFeature::Aggregates]),
                Item::Embed(embed) => query_needs(&embed.query).with(DatabaseFeature::Embeds),
            };
    }
    needs
}

fn filter_needs(filter: &Filter) -> FeatureSet {
    match filter {
        Filter::And(all) | Filter::Or(all) => {
            all.iter().fold(FeatureSet::EMPTY, |set, filter| set | filter_needs(filter))
        }
        Filter::Not(inner) => filter_needs(inner),
        Filter::Compare(comparison) => match comparison.operator {
            Operator::FullText(..) => FeatureSet::of(&[DatabaseFeature::FullText]),
            Operator::Match | Operator::Imatch => FeatureSet::of(&[DatabaseFeature::Regex]),
            Operator::StrictlyLeft
            | Operator::StrictlyRight
            | Operator::NotRight
            | Operator::NotLeft
            | Operator::Adjacent => FeatureSet::of(&[DatabaseFeature::Ranges]),
            _ => FeatureSet::EMPTY,
        },
    }
}
