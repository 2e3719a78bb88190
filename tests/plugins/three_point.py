"""A coupling scheme that lives outside the package: the tangent of the last three points' parabola.

u(t) = u_n + (t - t_n) (d_1 + (d_1 - d_0) h_1 / (h_1 + h_0)), d_i and h_i the slopes and steps
between the points. It leaves out h^2 u''/2, half of what `extrapolated` does. Source: Hairer,
Norsett and Wanner, Solving Ordinary Differential Equations I, section III.5.
"""

from cosim.lockstep.scheme import Prediction, Scheme


class ThreePoint(Scheme):
    NAME = "three_point"
    ORDER = 2
    POINTS = 3

    def predict(self, points):
        times = [point.time_second for point in points]
        outputs = [point.output for point in points]
        if len(points) == 1:
            return Prediction(outputs[-1])
        slope = (outputs[-1] - outputs[-2]) / (times[-1] - times[-2])
        if len(points) == 3:
            before = (outputs[1] - outputs[0]) / (times[1] - times[0])
            slope = slope + (slope - before) * (times[2] - times[1]) / (times[2] - times[0])
        return Prediction(outputs[-1], slope)


scheme = ThreePoint
