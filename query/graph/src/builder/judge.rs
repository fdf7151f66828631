//! From traces that are complete to windows: those to be judged, and those that nothing can be added to any more.

use super::{Builder, Open, Settled};
use crate::hold::{self, Group, Judged, Outcome};
use crate::packed::Packed;
use crate::trace::Known;
use crate::window::Window;
use epicenter_schema::{Timestamp, TraceId};
use std::collections::BTreeMap;

impl Builder {
    /// Counts what ended before the boundary and keeps it.
    pub(super) fn judge(&mut self, boundary: i64) -> Vec<(Timestamp, Window)> {
        let frontier = self.frontier.unwrap_or(i64::MIN);
        let mut windows: BTreeMap<i64, (Vec<Group>, bool)> = BTreeMap::new();
        // What ended before all windows that are handed out now, and is judged with the first of them.
        let mut strays: Vec<Group> = Vec::new();
        let grows_ns = self.grows_ns;
        let window_ns = self.window_ns;
        let start = |at: i64| at.div_euclid(window_ns) * window_ns;
        let is_last = boundary == i64::MAX;
        let grown = boundary.saturating_sub(grows_ns);
        // The boundary is where a window begins, so what ends before it is in a window before it.
        let is_due = |open: &Open| match open.late_until {
            _ if is_last => true,
            Some(until) => until < boundary,
            None => open.end < boundary || open.first_end < grown,
        };
        let mut put = |end: i64, trace: TraceId, spans: Vec<Packed>| {
            if start(end) < frontier {
                strays.push((end, trace, spans));
            } else {
                windows.entry(start(end)).or_default().0.push((end, trace, spans));
            }
        };
        // Nearly all traces are whole and in time. Their spans are not looked at here: they lie about in memory.
        let mut due: Vec<(TraceId, Open)> = Vec::new();
        for (trace, open) in self.open.extract_if(|_, open| is_due(open)) {
            self.open_spans -= open.spans.len();
            let is_short = open.end < start(open.first_end).saturating_add(grows_ns).saturating_add(window_ns);
            if is_short && open.late_until.is_none() && !open.is_doubtful {
                put(open.end, trace, open.spans);
            } else {
                due.push((trace, open));
            }
        }
        while let Some((trace, mut open)) = due.pop() {
            if open.is_doubtful {
                self.lose(open.spans.len());
                continue;
            }
            if open.late_until.is_some() {
                self.take_late(trace, &open.spans);
                continue;
            }
            let rest = hold::split_off(&mut open.spans, window_ns, grows_ns, self.held.floor());
            if !rest.is_empty() {
                let ends = || rest.iter().map(Packed::end);
                let rest = Open {
                    first_end: ends().min().unwrap_or(open.end),
                    end: ends().max().unwrap_or(open.end),
                    spans: rest,
                    late_until: None,
                    is_doubtful: false,
                };
                if is_due(&rest) {
                    due.push((trace, rest));
                } else {
                    self.open_spans += rest.spans.len();
                    self.open.insert(trace, rest);
                }
            }
            let end = open.spans.iter().map(Packed::end).max().unwrap_or(open.end);
            put(end, trace, open.spans);
        }
        let (strays, none) = (Judged::new(strays), Judged::default());
        if !strays.is_empty() {
            windows.entry(frontier).or_default().1 = true;
        }
        let judged = windows.into_iter().map(|(start, (groups, has_strays))| {
            let window = self.judge_window(start, groups, if has_strays { &strays } else { &none });
            (Timestamp(start), window)
        });
        judged.collect()
    }

    fn judge_window(&mut self, start: i64, groups: Vec<Group>, strays: &Judged) -> Window {
        let judged = Judged::new(groups);
        let known = self.answers.digest();
        let mut window = Window::with_room(self.room);
        window.accounts.dropped = std::mem::take(&mut self.dropped);
        let mut here = Known {
            answers: &mut self.answers,
            links: &self.links,
        };
        for (trace, spans) in judged.iter().chain(strays.iter()) {
            let records = spans.iter().map(|span| self.packer.unpack(span));
            self.walker.count(trace, records, &mut here, &mut window);
        }
        self.walker.count_dimensions(&self.packer, &mut window);
        self.room = window.room();
        let is_stale = std::mem::take(&mut self.walker.has_loose_links) || !strays.is_empty();
        let learned = self.answers.take_news();
        self.held.keep(start, judged, known, learned, is_stale);
        for (trace, spans) in strays.iter() {
            self.take_late(trace, spans);
        }
        window
    }

    /// Counts late spans where they belong once that settles, if it did not yet.
    fn take_late(&mut self, trace: TraceId, spans: &[Packed]) {
        for span in spans {
            if self.held.takes(span.end()) {
                self.counters.late_counted += 1;
                self.held.put_late(trace, *span);
            } else {
                self.lose(1);
            }
        }
    }

    fn lose(&mut self, spans: usize) {
        self.counters.late += spans as u64;
        self.dropped += spans as u64;
    }

    pub(super) fn settle(&mut self, boundary: i64, spans_max: usize) {
        while let Some((start, outcome)) = self.held.next(boundary, spans_max) {
            if start.saturating_add(self.window_ns) > boundary {
                self.counters.hurried_windows += 1;
            }
            let window = match outcome {
                Outcome::Same => None,
                Outcome::Changed(groups, late) => {
                    let mut window = Window::default();
                    window.accounts.late = late;
                    let mut known = Known {
                        answers: &mut self.held.answers,
                        links: &self.links,
                    };
                    for (_, trace, spans) in &groups {
                        let records = spans.iter().map(|span| self.packer.unpack(span));
                        self.walker.count(*trace, records, &mut known, &mut window);
                    }
                    self.walker.count_dimensions(&self.packer, &mut window);
                    self.walker.has_loose_links = false;
                    self.held.answers.take_news();
                    Some(window)
                }
            };
            self.settled.push(Settled {
                start: Timestamp(start),
                window,
            });
        }
    }
}
