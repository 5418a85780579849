//! A trace with its nesting, for the rules.

use crate::scenario::Injected;
use crate::trace::{Event, Kind, Routine, Stage, Trace};
use crate::vocabulary::status::Status;

/// A trace, with the enclosing events of each event and the resources that the driver holds.
#[derive(Debug)]
pub struct View<'a> {
    /// The events.
    pub events: &'a [Event],
    /// The resources that the driver acquired.
    pub resources: Vec<Resource<'a>>,
    inside: Vec<Option<usize>>,
    stages: Vec<Stage>,
    ends: Vec<Option<usize>>,
}

/// A resource that the driver acquired.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// The kind.
    pub kind: Kind,
    /// The description, such as a name or a size.
    pub what: &'a str,
    /// The index of the event of the acquisition.
    pub acquired: usize,
    /// The index of the event of the release, if there is one.
    pub released: Option<usize>,
}

impl Resource<'_> {
    /// Returns whether the resource is held at an event.
    #[must_use]
    pub fn is_held_at(&self, at: usize) -> bool {
        self.acquired < at && self.released.is_none_or(|released| released > at)
    }
}

impl std::fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.kind, self.what)
    }
}

/// A call of the driver.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The index of the event.
    pub at: usize,
    /// The function.
    pub function: &'a str,
    /// The address of the call.
    pub site: u32,
    /// The IRQL.
    pub irql: u8,
    /// The number of the call among those that can fail.
    pub point: Option<u32>,
    /// The result, if the call returned.
    pub result: Option<u64>,
    /// The scenario injected the result.
    pub injected: bool,
    /// The index of the event of the return.
    pub returned: Option<usize>,
}

impl Call<'_> {
    /// Returns the result as a status.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.result.map(|result| Status(result as u32))
    }
}

impl<'a> View<'a> {
    /// Analyzes the nesting of a trace.
    #[must_use]
    pub fn new(trace: &'a Trace) -> Self {
        let events = &trace.events[..];
        let mut view = View {
            events,
            resources: Vec::new(),
            inside: Vec::with_capacity(events.len()),
            stages: Vec::with_capacity(events.len()),
            ends: vec![None; events.len()],
        };
        let mut open = Vec::new();
        let mut numbers: Vec<(u32, usize)> = Vec::new();
        let mut stage = Stage::Load;
        for (at, event) in events.iter().enumerate() {
            if matches!(event, Event::Leave { .. } | Event::Return { .. })
                && let Some(begin) = open.pop()
            {
                view.ends[begin] = Some(at);
            }
            view.inside.push(open.last().copied());
            match event {
                Event::Stage { stage: next } => stage = *next,
                Event::Enter { .. } | Event::Call { .. } => open.push(at),
                Event::Acquire { id, kind, what } => {
                    numbers.push((*id, view.resources.len()));
                    view.resources.push(Resource {
                        kind: *kind,
                        what,
                        acquired: at,
                        released: None,
                    });
                }
                Event::Release { id } => {
                    let index = numbers.iter().find(|(known, _)| known == id);
                    if let Some((_, index)) = index {
                        view.resources[*index].released = Some(at);
                    }
                }
                _ => {}
            }
            view.stages.push(stage);
        }
        view
    }

    /// Returns the events that enclose an event, innermost first.
    pub fn enclosing(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.inside.get(at).copied().flatten(), |at| {
            self.inside[*at]
        })
    }

    /// Returns the stage of the script to which an event belongs.
    #[must_use]
    pub fn stage(&self, at: usize) -> Stage {
        self.stages.get(at).copied().unwrap_or(Stage::Load)
    }

    /// Returns the driver routine in which an event occurred.
    #[must_use]
    pub fn routine(&self, at: usize) -> Option<&'a Routine> {
        self.enclosing(at).find_map(|at| match &self.events[at] {
            Event::Enter { routine, .. } => Some(routine),
            _ => None,
        })
    }

    /// Returns the event in which the driver routine was called in which an event occurred.
    #[must_use]
    pub fn activation(&self, at: usize) -> Option<usize> {
        let mut enclosing = self.enclosing(at);
        enclosing.find(|at| matches!(&self.events[*at], Event::Enter { .. }))
    }

    /// Returns the label of that routine, or `otherwise` if the event is not in a driver routine.
    #[must_use]
    pub fn routine_label(&self, at: usize, otherwise: &str) -> String {
        self.routine(at)
            .map_or_else(|| otherwise.to_owned(), Routine::label)
    }

    /// Returns the call that acquired a resource, and its address. Returns `None` if Windows acquired it.
    #[must_use]
    pub fn acquiring_call(&self, resource: &Resource) -> Option<(&'a str, u32)> {
        match &self.events[self.enclosing(resource.acquired).next()?] {
            Event::Call { function, site, .. } => Some((function, *site)),
            _ => None,
        }
    }

    /// Returns whether an event occurred during a call of a function, at any depth.
    #[must_use]
    pub fn is_within(&self, at: usize, name: &str) -> bool {
        self.enclosing(at)
            .any(|at| matches!(&self.events[at], Event::Call { function, .. } if function == name))
    }

    /// Returns whether an event occurred in a routine, at any depth.
    #[must_use]
    pub fn is_in(&self, at: usize, wanted: impl Fn(&Routine) -> bool) -> bool {
        self.enclosing(at)
            .any(|at| matches!(&self.events[at], Event::Enter { routine, .. } if wanted(routine)))
    }

    /// Returns the result of the driver routine that was called in an event, if it returned.
    #[must_use]
    pub fn answer(&self, entered: usize) -> Option<u64> {
        match &self.events[self.ends[entered]?] {
            Event::Leave { answer } => Some(*answer),
            _ => None,
        }
    }

    /// Returns the calls, in order.
    pub fn calls(&self) -> impl Iterator<Item = Call<'a>> + '_ {
        self.events.iter().enumerate().filter_map(|(at, event)| {
            let Event::Call {
                function,
                site,
                irql,
                point,
            } = event
            else {
                return None;
            };
            let returned = self.ends[at];
            let (result, injected) = match returned.map(|end| &self.events[end]) {
                Some(Event::Return { result, injected }) => (Some(*result), *injected),
                _ => (None, false),
            };
            Some(Call {
                at,
                function,
                site: *site,
                irql: *irql,
                point: *point,
                result,
                injected,
                returned,
            })
        })
    }

    /// Returns the calls that `DriverEntry` made directly.
    pub fn load_calls(&self) -> impl Iterator<Item = Call<'a>> + '_ {
        self.calls()
            .filter(|call| self.routine(call.at) == Some(&Routine::DriverEntry))
    }

    /// Returns the event of the return of `DriverEntry`, and its status.
    #[must_use]
    pub fn driver_entry(&self) -> Option<(usize, Status)> {
        let at = self.events.iter().position(|event| {
            matches!(
                event,
                Event::Enter {
                    routine: Routine::DriverEntry,
                    ..
                }
            )
        })?;
        match self.ends[at].map(|end| (end, &self.events[end])) {
            Some((end, Event::Leave { answer })) => Some((end, Status(*answer as u32))),
            _ => None,
        }
    }

    /// Returns the faults that occurred in `DriverEntry`, with the injected results.
    #[must_use]
    pub fn load_failures(&self) -> Vec<(Call<'a>, Injected)> {
        self.load_calls()
            .filter(|call| call.injected)
            .filter_map(|call| {
                let function = crate::imports::function(call.function)?;
                let injected = match function.fails {
                    crate::machine::function::Fails::With(_) => Injected::Status(call.status()?),
                    _ => Injected::Zero,
                };
                Some((call, injected)).filter(|(_, injected)| injected.is_failure())
            })
            .collect()
    }

    /// Returns the resources that are held at an event.
    pub fn held_at(&self, at: usize) -> impl Iterator<Item = &Resource<'a>> + '_ {
        self.resources
            .iter()
            .filter(move |resource| resource.is_held_at(at))
    }
}
