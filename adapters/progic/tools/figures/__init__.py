"""The figures of ProGIC's supplement, from real encodes with whatever checkpoint is given."""
