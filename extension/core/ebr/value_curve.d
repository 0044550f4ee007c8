extension/core/ebr/value_curve.o: extension/core/ebr/value_curve.c \
 extension/core/ebr/value_curve.h extension/core/ebr/model.h \
 extension/core/ebr/problem.h extension/core/ebr/../outcome.h
extension/core/ebr/value_curve.h:
extension/core/ebr/model.h:
extension/core/ebr/problem.h:
extension/core/ebr/../outcome.h:
