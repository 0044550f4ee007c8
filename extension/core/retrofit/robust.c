/* See robust.h. */
#include "robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 60, MOST_REJECTIONS = 12, LEAST_GROUP = 10 };

static const double REJECTED_BEYOND = 3; /* standard deviations */
static const double MEDIAN_ERROR =
    1.167; /* standard error of that, times the root of their number */
static const double MEDIAN_OF_NORMAL = 0.6745; /* absolute value, in standard deviations */

bool robust_solve(int n, double a[ROBUST_MOST][ROBUST_MOST], double *b)
{
	for (int i = 0; i < n; i++) {
		double diagonal = a[i][i];

		for (int j = 0; j <= i; j++) {
			double sum = a[i][j];

			for (int k = 0; k < j; k++)
				sum -= a[i][k] * a[j][k];
			if (i == j && !(sum > 1e-11 * diagonal))
				return false;
			a[i][j] = i == j ? sqrt(sum) : sum / a[j][j];
		}
	}
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < i; k++)
			b[i] -= a[i][k] * b[k];
		b[i] /= a[i][i];
	}
	for (int i = n - 1; i >= 0; i--) {
		for (int k = i + 1; k < n; k++)
			b[i] -= a[k][i] * b[k];
		b[i] /= a[i][i];
	}
	return true;
}

/* Sum of squares of the kept residuals at these parameters. */
static double squares(robust_fit *f, const double *parameter)
{
	double sum = 0, gradient[ROBUST_MOST];

	for (int i = 0; i < f->count; i++) {
		f->residual[i] = f->observed[i] - f->model(f->data, i, parameter, gradient);
		sum += f->kept[i] ? f->residual[i] * f->residual[i] : 0;
	}
	return sum;
}

static void normal_equations(const robust_fit *f, double a[ROBUST_MOST][ROBUST_MOST], double *b)
{
	double gradient[ROBUST_MOST];

	memset(a, 0, sizeof(double) * ROBUST_MOST * ROBUST_MOST);
	memset(b, 0, sizeof(double) * ROBUST_MOST);
	for (int i = 0; i < f->count; i++) {
		if (!f->kept[i])
			continue;
		f->model(f->data, i, f->parameter, gradient);
		for (int j = 0; j < f->parameters; j++) {
			b[j] += gradient[j] * f->residual[i];
			for (int k = 0; k <= j; k++)
				a[j][k] += gradient[j] * gradient[k];
		}
	}
}

/* Levenberg and Marquardt's damped steps; false where the parameters are not determined. */
static bool least_squares(robust_fit *f)
{
	double best = squares(f, f->parameter), damping = 1e-8;
	bool determined = false;

	for (int step = 0; step < MOST_STEPS; step++) {
		double a[ROBUST_MOST][ROBUST_MOST], b[ROBUST_MOST], next[ROBUST_MOST], sum;

		normal_equations(f, a, b);
		for (int j = 0; j < f->parameters; j++)
			a[j][j] *= 1 + damping;
		if (!robust_solve(f->parameters, a, b))
			return false;
		for (int j = 0; j < f->parameters; j++)
			next[j] = f->parameter[j] + b[j];
		sum = squares(f, next);
		if (sum <= best) {
			determined = true;
			memcpy(f->parameter, next, sizeof(double) * f->parameters);
			if (best - sum <= 1e-12 * best)
				break;
			best = sum;
			damping = fmax(damping / 10, 1e-12);
		} else {
			damping *= 10;
			if (damping > 1e6)
				break;
		}
	}
	squares(f, f->parameter);
	return determined || best == 0;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Standard deviation of a group's residuals by their median, which is taken for two standard errors
 * of its own too small; -1 (both groups) where the group is small. */
static double spread(const robust_fit *f, const int *group, int wanted, double *room)
{
	int count = 0;

	for (int i = 0; i < f->count; i++)
		if (wanted < 0 || group[i] == wanted)
			room[count++] = fabs(f->residual[i]);
	if (wanted >= 0 && count < LEAST_GROUP)
		return -1;
	qsort(room, count, sizeof(*room), by_size);
	return (room[(count - 1) / 2] + room[count / 2]) / 2 / MEDIAN_OF_NORMAL *
	       (1 + 2 * MEDIAN_ERROR / sqrt(count));
}

/* Decides anew which observations are kept; whether that changed any. The start is not the best fit
 * yet, so gross outliers alone go by it (generosity 2). */
static bool reject(robust_fit *f, double generosity, int *group, double *room)
{
	double sd[2], all, level = 0;
	bool changed = false;

	for (int i = 0; i < f->count; i++) {
		group[i] = f->group ? f->group(f->data, i, f->parameter) : 0;
		level = fmax(level, fabs(f->observed[i]));
	}
	all = spread(f, group, -1, room);
	sd[0] = spread(f, group, 0, room);
	sd[1] = spread(f, group, 1, room);
	if (sd[0] < 0 || sd[1] < 0)
		sd[0] = sd[1] = all;
	f->outliers = 0;
	for (int i = 0; i < f->count; i++) {
		/* Residuals of rounding are no outliers. */
		bool kept =
		    fabs(f->residual[i]) <= generosity * REJECTED_BEYOND * sd[group[i]] + 1e-9 * level;

		changed = changed || kept != f->kept[i];
		f->kept[i] = kept;
		f->outliers += !kept;
	}
	return changed;
}

static void measure_residuals(robust_fit *f)
{
	double sum = 0, lagged = 0, paired = 0;
	int used = f->count - f->outliers, before = -1;

	for (int i = 0; i < f->count; i++) {
		if (!f->kept[i])
			continue;
		sum += f->residual[i] * f->residual[i];
		if (before >= 0 && f->position[i] == f->position[before] + 1) {
			lagged += f->residual[i] * f->residual[before];
			paired += (pow(f->residual[i], 2) + pow(f->residual[before], 2)) / 2;
		}
		before = i;
	}
	f->sd = sqrt(sum / (used - f->parameters));
	/* A short series shows less of it than there is. */
	f->autocorrelation = paired > 0 ? lagged / paired : 0;
	f->autocorrelation += (1 + 3 * fmax(f->autocorrelation, 0)) / used;
	f->autocorrelation = fmin(fmax(f->autocorrelation, 0), 0.95);
}

/* Bandwidth of the Bartlett weights, in slots. */
static double bandwidth(const robust_fit *f, int used)
{
	double r = f->autocorrelation, alpha = 4 * r * r / pow(1 - r * r, 2);

	return fmin(1 + 1.1447 * cbrt(alpha * used), used / 2.0);
}

/* What Bartlett weights leave out of errors that last as these do. */
static double left_out(const robust_fit *f, double width)
{
	const double r = f->autocorrelation;
	double seen = 1, lasting = r;

	for (int lag = 1; lag < width; lag++) {
		seen += 2 * (1 - lag / width) * lasting;
		lasting *= r;
	}
	return (1 + r) / (1 - r) / seen;
}

/* 95 % quantile of the studentised estimate: Student's, or that of the kernel where wider. */
static double quantile(int freedom, double kernel_share)
{
	const double z = 1.644854, b = kernel_share;
	double student = z + (z * z * z + z) / (4 * freedom) +
	                 (5 * pow(z, 5) + 16 * z * z * z + 3 * z) / (96.0 * freedom * freedom);

	return fmax(student, z + 2.1859 * b + 0.3142 * b * b - 0.3427 * b * b * b);
}

/* Sum over kept pairs of scores, weighted by how near they are in time. */
static void sum_scores(robust_fit *f, double width, double sums[ROBUST_MOST][ROBUST_MOST],
                       double *plain)
{
	for (int i = 0; i < f->count; i++) {
		double mine[ROBUST_MOST], other[ROBUST_MOST];

		if (!f->kept[i])
			continue;
		f->model(f->data, i, f->parameter, mine);
		for (int k = i; k >= 0 && f->position[i] - f->position[k] < width; k--) {
			double weight = 1 - (f->position[i] - f->position[k]) / width;
			double product = weight * f->residual[i] * f->residual[k];

			if (!f->kept[k])
				continue;
			f->model(f->data, k, f->parameter, other);
			*plain += (k < i ? 2 : 1) * product;
			for (int a = 0; a < f->parameters; a++)
				for (int b = 0; b < f->parameters; b++)
					sums[a][b] += k < i ? product * (mine[a] * other[b] + other[a] * mine[b])
					                    : product * mine[a] * mine[b];
		}
	}
}

static bool invert(int n, double a[ROBUST_MOST][ROBUST_MOST],
                   double inverse[ROBUST_MOST][ROBUST_MOST])
{
	for (int j = 0; j < n; j++) {
		double copy[ROBUST_MOST][ROBUST_MOST], column[ROBUST_MOST] = {0};

		memcpy(copy, a, sizeof(copy));
		column[j] = 1;
		if (!robust_solve(n, copy, column))
			return false;
		for (int i = 0; i < n; i++)
			inverse[i][j] = column[i];
	}
	return true;
}

/* Residuals as if each observation had not been in the fit: divided by 1 - its leverage. */
static void leave_out(robust_fit *f, double inverse[ROBUST_MOST][ROBUST_MOST])
{
	double gradient[ROBUST_MOST];

	for (int i = 0; i < f->count; i++) {
		double leverage = 0;

		f->model(f->data, i, f->parameter, gradient);
		for (int j = 0; j < f->parameters; j++)
			for (int k = 0; k < f->parameters; k++)
				leverage += gradient[j] * inverse[j][k] * gradient[k];
		f->residual[i] /= fmax(1 - leverage, 0.1);
	}
}

/* The sandwich: inverse * sum of scores * inverse. */
static bool measure_covariance(robust_fit *f)
{
	const int p = f->parameters, used = f->count - f->outliers;
	double a[ROBUST_MOST][ROBUST_MOST], b[ROBUST_MOST], inverse[ROBUST_MOST][ROBUST_MOST];
	double sums[ROBUST_MOST][ROBUST_MOST] = {{0}}, plain = 0;
	double width, correction;

	measure_residuals(f);
	width = bandwidth(f, used);
	correction = left_out(f, width);
	normal_equations(f, a, b);
	if (!invert(p, a, inverse))
		return false;
	leave_out(f, inverse);
	sum_scores(f, width, sums, &plain);
	f->long_run_variance = correction * plain / used;
	f->critical = quantile(used - p, width / used);
	for (int i = 0; i < p; i++)
		for (int j = 0; j < p; j++) {
			f->covariance[i][j] = 0;
			for (int k = 0; k < p; k++)
				for (int l = 0; l < p; l++)
					f->covariance[i][j] += correction * inverse[i][k] * sums[k][l] * inverse[l][j];
		}
	return true;
}

bool robust_regression(robust_fit *f)
{
	int *group = malloc(sizeof(*group) * f->count);
	double *room = group ? malloc(sizeof(double) * f->count) : NULL;
	bool done = room != NULL;

	for (int i = 0; i < f->count; i++)
		f->kept[i] = true;
	if (done) {
		squares(f, f->parameter);
		reject(f, 2, group, room);
	}
	for (int round = 0; done && round < MOST_REJECTIONS; round++) {
		done = f->count - f->outliers > f->parameters + 1 && least_squares(f);
		if (done && !reject(f, 1, group, room))
			break;
	}
	done = done && f->count - f->outliers > f->parameters + 1 && measure_covariance(f);
	free(group);
	free(room);
	return done;
}

estimate robust_estimate(const robust_fit *f, double value, const double *gradient,
                         double other_variance)
{
	double variance = other_variance, half;

	for (int i = 0; i < f->parameters; i++)
		for (int j = 0; j < f->parameters; j++)
			variance += gradient[i] * f->covariance[i][j] * gradient[j];
	half = f->critical * sqrt(fmax(variance, 0));
	return (estimate){value, value - half, value + half};
}
