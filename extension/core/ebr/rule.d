extension/core/ebr/rule.o: extension/core/ebr/rule.c \
 extension/core/ebr/rule.h extension/core/ebr/value_curve.h \
 extension/core/ebr/model.h extension/core/ebr/problem.h \
 extension/core/ebr/../outcome.h
extension/core/ebr/rule.h:
extension/core/ebr/value_curve.h:
extension/core/ebr/model.h:
extension/core/ebr/problem.h:
extension/core/ebr/../outcome.h:
