//! Lets a query be given up in the middle of a join.
//!
//! DataFusion yields where batches come from, at the leaves of a plan. An operator that makes many batches out of one, a
//! join above all, can run for minutes between two looks at its leaves: nothing could end it, and on a thread that it
//! holds no other query would run. This rule adds a yield behind each of them.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use std::sync::Arc;

/// An operator with one input that makes many rows out of one.
const UNNEST: &str = "UnnestExec";

/// The rule. It comes after all others.
#[derive(Debug)]
pub(super) struct Yielding;

impl PhysicalOptimizerRule for Yielding {
    fn name(&self) -> &'static str {
        "Yielding"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|plan| {
            if plan.children().len() > 1 || plan.name() == UNNEST {
                return Ok(Transformed::yes(
                    Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>
                ));
            }
            Ok(Transformed::no(plan))
        });
        wrapped.map(|wrapped| wrapped.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}
