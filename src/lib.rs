pub use {arrow as _, burn as _, burn_tch as _, polars as _};
