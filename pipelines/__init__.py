"""When things run: jobs, engines, stages and the ``geomon`` command. No arithmetic lives here."""
