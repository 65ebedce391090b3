"""For the process that forks kernels (`tests/kernels.py`), where importing this has figures not painted, forecasts of
harm kept, the sandbox's infrastructure tool forked too, botocore quicker, git asked once, and the parameter files
parsed. In no process of the tests themselves.
"""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg

from runbook_lib.act import command
from runbook_lib.rehearse.play.stage import ENVIRONMENTS, params_of
from runbook_lib.steps import harm
from tests import forks, quick_aws, quick_versions, unpainted
from tests.kept import forecast

quick_aws.install()
quick_versions.install()
FigureCanvasAgg.draw = unpainted.draw  # type: ignore[method-assign]
forks._server()  # one for all kernels, which have their end of its channel from here
command.subprocess = forks.processes  # type: ignore[assignment]
harm.forecast = forecast(harm.forecast)
for env in ENVIRONMENTS:
    params_of(env, "any")
