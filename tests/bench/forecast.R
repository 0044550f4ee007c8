# The origins of bench_forecast (its csv: 56 days of hours, then the day to forecast) by R's package
# forecast: stlf, ARIMA with Fourier terms. Prints MAE, RMSE and time a home.
suppressPackageStartupMessages(library(forecast))
rows <- as.matrix(read.csv(commandArgs(TRUE)[1], header = FALSE))
history <- 56 * 24
methods <- list(
	stlf = function(y) stlf(msts(y, c(24, 168)), h = 24)$mean,
	"arima(2,0,1) + Fourier" = function(y) {
		y <- msts(y, c(24, 168))
		fit <- Arima(y, order = c(2, 0, 1), xreg = fourier(y, K = c(4, 4)), method = "CSS")
		forecast(fit, xreg = fourier(y, K = c(4, 4), h = 24))$mean
	},
	"seasonal naive 168" = function(y) snaive(ts(y, frequency = 168), h = 24)$mean
)
for (name in names(methods)) {
	errors <- c()
	started <- proc.time()[["user.self"]]
	for (k in seq_len(nrow(rows))) {
		y <- as.numeric(rows[k, 1:history])
		y <- as.numeric(na.interp(ts(y, frequency = 24)))
		guess <- tryCatch(pmax(as.numeric(methods[[name]](y)), 0), error = function(e) tail(y, 24))
		errors <- c(errors, as.numeric(rows[k, history + 1:24]) - guess)
	}
	seconds <- proc.time()[["user.self"]] - started
	cat(sprintf("  %-28s MAE %.4f RMSE %.4f %6.0f ms\n", name, mean(abs(errors)), sqrt(mean(errors^2)), 1000 * seconds / nrow(rows)))
}
