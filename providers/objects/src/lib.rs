//! Object stores through OpenDAL: fs, memory, s3.
