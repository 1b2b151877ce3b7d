//! The live switch: plan, copy, follow, verify, fence, flip, reverse.
