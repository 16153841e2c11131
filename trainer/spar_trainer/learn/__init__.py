"""`npm run learn`: whether self-play learns, on two cores and against baselines."""
