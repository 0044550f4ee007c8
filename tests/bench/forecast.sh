#!/bin/sh
# EUMF-K beside R's package forecast (Debian's r-cran-forecast, where it is installed) on the same
# origins of the recorded homes.
set -eu
cd "$(dirname "$0")/../.."
make -s build/plain/bench_forecast
build/plain/bench_forecast | sed -n '1,/EUMF-K  /p'
if ! command -v Rscript >/dev/null || ! Rscript -e 'library(forecast)' >/dev/null 2>&1; then
	echo "R's forecast is not there: apt-get install r-cran-forecast"
	exit 0
fi
origins=$(mktemp)
trap 'rm -f "$origins"' EXIT
build/plain/bench_forecast csv "$origins"
[ ! -s "$origins" ] || Rscript tests/bench/forecast.R "$origins"
