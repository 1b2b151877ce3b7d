//! Loops.

use std::collections::BTreeSet;

use truststream_kernel::{Error, Result, Type, Value};
use truststream_sql::plpgsql::{Flow, Numbers, Step};

use super::{Ended, Run};
use crate::truncate::collections;

impl Run<'_> {
    /// One round of a loop: what it ends with, or `None` to go on.
    async fn round(&mut self, label: Option<&str>, steps: &[Step]) -> Result<Option<Ended>> {
        Ok(self.steps(steps).await?.round(label))
    }

    pub(super) async fn looped(
        &mut self,
        label: Option<&str>,
        test: Option<&str>,
        steps: &[Step],
    ) -> Result<Ended> {
        loop {
            // Even what does nothing ends at the deadline, and lets others run.
            tokio::task::yield_now().await;
            if self.work.cx.remaining().is_some_and(|left| left.is_zero()) {
                return Err(Error::timeout(format!("function {} ran too long", self.function.name)));
            }
            if let Some(test) = test
                && !self.holds(test).await?
            {
                return Ok(Flow::On);
            }
            if let Some(ended) = self.round(label, steps).await? {
                return Ok(ended);
            }
        }
    }

    pub(super) async fn range(
        &mut self,
        label: Option<&str>,
        (variable, ends, reverse): (&str, &[String; 3], bool),
        steps: &[Step],
    ) -> Result<Ended> {
        let mut known = [None; 3];
        for (number, end) in known.iter_mut().zip(ends) {
            if let Value::Int(found) = self.value(end, &Type::Int4).await? {
                *number = Some(found);
            }
        }
        let numbers = Numbers::between(known, reverse)?;
        let outer = self.names.count();
        self.names.declare(variable, Type::Int4, Some(Value::Null));
        let (mut flow, mut any) = (Flow::On, false);
        for at in numbers {
            any = true;
            self.names.set(variable, Value::Int(at))?;
            tokio::task::yield_now().await;
            if let Some(ended) = self.round(label, steps).await? {
                flow = ended;
                break;
            }
        }
        self.names.leave(outer);
        self.names.set("found", Value::Bool(any))?;
        Ok(flow)
    }

    pub(super) async fn over_rows(
        &mut self,
        label: Option<&str>,
        (variables, sql): (&[String], &str),
        steps: &[Step],
    ) -> Result<Ended> {
        let targets = self.targets(variables)?;
        // All at once: what the loop writes must not change what it goes over.
        let (rows, read) = match self.query(sql, Some(&targets))? {
            Some(plan) => {
                let read = collections(&plan);
                (self.work.documents(plan).await?, read)
            }
            None => (self.run(sql, Some(&targets)).await?, BTreeSet::new()),
        };
        if rows.is_empty() {
            self.fill(&targets, None)?;
        }
        let mut flow = Flow::On;
        self.work.reading.push(read);
        for row in &rows {
            self.fill(&targets, Some(row))?;
            if let Some(ended) = self.round(label, steps).await? {
                flow = ended;
                break;
            }
        }
        self.work.reading.pop();
        self.names.set("found", Value::Bool(!rows.is_empty()))?;
        Ok(flow)
    }
}
