//! Configuration to backends to stacks to routes: the only place that puts layers around drivers.
