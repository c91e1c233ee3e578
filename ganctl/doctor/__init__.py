"""Says in words how a training fares: signals are measured, rules turn them into a verdict, advice names one change."""
