//! Committing the merge of small segments.

use super::super::compact;
use super::Committer;
use crate::Error;
use crate::table::Segment;
use std::sync::Arc;
use std::time::Instant;

impl Committer {
    /// Merges neighbouring small segments of this writer into one. False when there is nothing to merge.
    ///
    /// # Errors
    /// When reading, writing or committing fails; the table is then as before.
    pub(crate) async fn compact(&mut self) -> Result<bool, Error> {
        if self.settle().await? {
            return Ok(true);
        }
        let writer = self.commits.writer();
        let segments = self.view.segments();
        let mine: Vec<_> = segments
            .iter()
            .filter(|segment| segment.is_of(writer))
            .cloned()
            .collect();
        self.unmerged
            .retain(|path| mine.iter().any(|segment| segment.meta.path == *path));
        let free = mine
            .iter()
            .filter(|segment| !self.unmerged.contains(&segment.meta.path));
        let Some(mut run) = compact::plan(&free.cloned().collect::<Vec<_>>()) else {
            return Ok(false);
        };
        let started = Instant::now();
        let fitting = match compact::fitting(&run, &self.filters).await {
            Ok(fitting) => fitting,
            Err(error) => {
                self.leave_unmerged(&run);
                return Err(error);
            }
        };
        if fitting < 2 {
            // The first is large in bytes, if not in rows, or its columns go with no other's.
            self.leave_unmerged(&run[..1]);
            return Ok(true);
        }
        run.truncate(fitting);
        let mut inputs = Vec::new();
        for segment in &run {
            match compact::read(segment, &self.filters).await {
                Ok(read) => inputs.extend(read),
                Err(error) => {
                    self.leave_unmerged(std::slice::from_ref(segment));
                    return Err(error);
                }
            }
        }
        let spans = run.iter().map(|segment| segment.meta.rows).sum();
        if let Err(error) = self.replace(run.clone(), inputs).await {
            if matches!(error, Error::Segment { .. } | Error::Columns { .. } | Error::Task(_)) {
                self.leave_unmerged(&run);
            }
            return Err(error);
        }
        self.counters.compacted_spans.add(spans);
        self.counters.compact.observe(started.elapsed());
        Ok(true)
    }

    /// These are not merged any more, so that they do not keep others from it.
    fn leave_unmerged(&mut self, segments: &[Arc<Segment>]) {
        let paths = segments.iter().map(|segment| segment.meta.path.clone());
        self.unmerged.extend(paths);
    }
}
