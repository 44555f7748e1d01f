"""Arrays in, arrays out: the science. Imports numpy, scipy, scikit-image and numba; never reads, writes or logs."""
